// Wires one metadata replica: its files, its services, its clock.
import { createKvFactory } from "../../lib/host/level-kv.ts";
import { createDisk } from "../../lib/host/node-disk.ts";
import type { RpcServer } from "../../lib/ports/transport.ts";
import { MetadataServer } from "../../metadata/server.ts";
import { UsageError } from "../command-line.ts";
import type { Config } from "../config-schema.ts";
import type { Whereabouts } from "../roles/frame.ts";
import type { ClientPorts } from "./clients.ts";
import type { Instruments } from "./instruments.ts";

export interface MetadataParts {
  readonly ports: ClientPorts & Pick<Instruments, "metrics" | "stores">;
  readonly whereabouts: Whereabouts;
  readonly server: RpcServer;
  readonly config: Config;
  /** Milliseconds of Raft ticks; shorter where messages do not leave the process. */
  readonly ticks?: { readonly tickMs: number; readonly leaderlessTickMs: number };
  /** Raft log or core failed for good: the process must end. */
  readonly fatal: (error: unknown) => void;
}

export interface ComposedMetadata extends Pick<MetadataServer, "lacks" | "handOver" | "close"> {
  readonly address: string;
}

/** Listens and starts; the replica finds or founds its cluster in the background. */
export async function composeMetadata(parts: MetadataParts): Promise<ComposedMetadata> {
  const { ports, server, config, ticks } = parts;
  const { name } = config.node;
  const { id, metadata, policies, defaultPolicy, indexGroups, placementGroups } = config.cluster;
  const { dataDir, slowWriteMs, verifyOnOpenBytesMax, awaitImport, ...rest } = config.metadata;
  const { idleUnlessListed: _idle, ...times } = rest;
  const self = metadata.find((peer) => peer.name === name);
  if (self === undefined) throw new UsageError(`cluster.metadata does not name ${name}`);
  if (dataDir === "") throw new UsageError("metadata.dataDir must be set");
  const { transport, clock, random, log, metrics } = ports;
  const replica = await MetadataServer.open(
    {
      disk: createDisk(),
      kvFactory: createKvFactory({ verifyOnOpenBytesMax, meter: ports.stores("metadata") }),
      transport,
      clock,
      random,
      log,
      metrics,
      fatal: parts.fatal,
      raftTiming: { slowWriteMs, ...ticks },
    },
    {
      name,
      address: self.address,
      ...parts.whereabouts,
      dataDir,
      awaitImport,
      peers: metadata,
      clusterId: id,
      indexGroupCount: indexGroups,
      cluster: { policies, defaultPolicy, placementGroupCount: placementGroups },
      times: ticks === undefined ? times : { ...times, retryMs: ticks.tickMs },
    },
  );
  replica.register(server);
  const address = await server.listen(config.rpc.address);
  replica.start();
  return {
    address,
    lacks: () => replica.lacks(),
    handOver: () => replica.handOver(),
    close: (how) => replica.close(how),
  };
}
