// Wires one keeper.
import { Keeper } from "../../keeper/keeper.ts";
import { ClusterFigures } from "../../lib/clients/cluster-figures.ts";
import { gatherReport } from "../../lib/clients/cluster-report.ts";
import { Heartbeats } from "../../lib/clients/heartbeats.ts";
import { KmsDirectory } from "../../lib/clients/kms-directory.ts";
import { createHttpClient } from "../../lib/host/http-client.ts";
import { createHttpExchanger } from "../../lib/host/http-exchange.ts";
import type { Metrics } from "../../lib/ports/metrics.ts";
import type { ClusterKeys } from "../../lib/seal/cluster-keys.ts";
import { placeable } from "../commands/can-place.ts";
import type { Config } from "../config-schema.ts";
import type { RootCredentials } from "../credentials.ts";
import type { Whereabouts } from "../roles/frame.ts";
import { VERSION } from "../version.ts";
import type { ClientPorts, Clients } from "./clients.ts";
import { ownGateways, replicationSettings } from "./replication.ts";

export interface KeeperParts {
  readonly name: string;
  readonly whereabouts: Whereabouts;
  readonly ports: ClientPorts & { readonly metrics: Metrics };
  readonly clients: Clients;
  readonly config: Pick<
    Config,
    "keeper" | "lifecycle" | "notify" | "accessLogs" | "replication" | "s3"
  >;
  /** Seal access logs where their bucket wants it. */
  readonly clusterKeys: ClusterKeys;
  /** Reads from this cluster's gateways, unless the settings name another key. */
  readonly root: RootCredentials | undefined;
}

export function composeKeeper(parts: KeeperParts): { close(): Promise<void> } {
  const { clients, ports, name } = parts;
  const { keeper: config, lifecycle, notify, accessLogs } = parts.config;
  const { metadata, buckets, view, shards, erasure, writer, reader } = clients;
  const { clock, random, log, metrics } = ports;
  const http = createHttpClient();
  const replication = replicationSettings(parts.config, parts.root);
  const own = ownGateways(parts.config, log);
  const exchanger = createHttpExchanger(own === undefined ? {} : { own });
  const kms = new KmsDirectory({ metadata, clock, random }, parts.clusterKeys);
  const keeper = new Keeper({
    ...{ metadata, buckets, view, shards, erasure, writer, reader },
    ...{ clock, random, log, metrics, http, kms },
    ...{ config, lifecycle, notify, accessLogs, exchanger },
    replication,
    storageClasses: parts.config.s3.storageClasses,
  });
  const heartbeats = new Heartbeats(
    { metadata, clock, log },
    {
      ...{ role: "keeper", name, address: "", version: VERSION, ...parts.whereabouts },
      details: () => keeper.details(),
    },
  );
  const figures = clusterFigures(parts);
  keeper.start();
  heartbeats.start();
  figures.start();
  return {
    close: async () => {
      figures.stop();
      heartbeats.stop();
      await keeper.close();
      http.close();
      exchanger.close();
    },
  };
}

function clusterFigures({ ports, clients }: KeeperParts): ClusterFigures {
  const { metadata, view, replicas } = clients;
  const probe = ports.random.bytes(16);
  return new ClusterFigures({
    ...ports,
    gather: () => gatherReport(ports.transport, metadata, replicas),
    policy: () => (view.isFresh() ? view.policy(view.defaultPolicy()) : undefined),
    canPlace: () => placeable(view, probe) === undefined,
  });
}
