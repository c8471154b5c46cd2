// How commands that speak to the metadata replicas themselves reach them: by the configuration of a
// process of the cluster, or by the data directory of a local one.
import { resolve } from "node:path";
import process from "node:process";
import type { ExpectedPeer } from "../lib/host/grpc-identity.ts";
import { createGrpcTransport } from "../lib/host/grpc-transport.ts";
import { InternalTls, type InternalTlsOptions } from "../lib/host/internal-tls.ts";
import { createLog } from "../lib/host/log.ts";
import type { Transport } from "../lib/ports/transport.ts";
import { UsageError } from "./command-line.ts";
import type { Config } from "./config-schema.ts";
import { clusterSecretFile, clusterSecretOf } from "./credentials.ts";
import { type ClusterPlan, readPlan } from "./dev/cluster-file.ts";
import { localTls } from "./dev/local-certificates.ts";
import { expectedReplicas, internalTlsOptions } from "./internal-tls.ts";
import { readConfig } from "./read-config.ts";

export const METADATA_ACCESS_OPTIONS = {
  data: { kind: "text", value: "DIR", help: "data directory (DOLIUM_DATA, else ./data)" },
  config: {
    kind: "text",
    value: "FILE",
    help: "configuration (JSON) of a process of the cluster, instead of a data directory",
  },
} as const;

export interface MetadataAccessOptions {
  readonly data?: string;
  readonly config?: string;
}

export interface MetadataPlace {
  /** host:port of every replica. */
  readonly addresses: readonly string[];
  /** What calls to them are made with. */
  readonly access: TransportAccess;
}

interface TransportAccess {
  readonly clusterSecret: string;
  readonly expected: ReadonlyMap<string, ExpectedPeer>;
  /** Undefined: plain. */
  readonly tls: InternalTlsOptions | undefined;
}

/** Throws UsageError. */
export function metadataPlaceOf(options: MetadataAccessOptions): MetadataPlace {
  if (options.config !== undefined) {
    const config = readConfig(options.config);
    const { metadata, secret } = config.cluster;
    if (metadata.length === 0) throw new UsageError(`${options.config} names no metadata replica`);
    return placeOf(metadata, { clusterSecret: secret, tls: internalTlsOptions(config) });
  }
  const dataDir = dataDirOf(options);
  const plan = readPlan(dataDir);
  if (plan === undefined) {
    throw new UsageError(`${dataDir} holds no cluster: name its data directory with --data`);
  }
  return planPlace(dataDir, plan);
}

/** The replicas of a local cluster. */
export function planPlace(dataDir: string, plan: ClusterPlan): MetadataPlace {
  const replicas = plan.processes
    .filter(({ role }) => role === "metadata")
    .map(({ name, rpcPort }) => ({ name, address: `127.0.0.1:${rpcPort}` }));
  const clusterSecret = clusterSecretOf(clusterSecretFile(dataDir));
  return placeOf(replicas, { clusterSecret, tls: localTls(dataDir, plan, "admin") });
}

function placeOf(
  replicas: Config["cluster"]["metadata"],
  how: Pick<TransportAccess, "clusterSecret" | "tls">,
): MetadataPlace {
  const addresses = replicas.map(({ address }) => address);
  return { addresses, access: { ...how, expected: expectedReplicas(replicas) } };
}

/** Calls to the replicas; closes with all it opened. */
export function openTransport({ clusterSecret, expected, tls }: TransportAccess): Transport {
  const log = createLog({ level: "silent" });
  const internal = tls === undefined ? undefined : new InternalTls(tls, log);
  const transport = createGrpcTransport({
    ...{ clusterSecret, expected },
    ...(internal === undefined ? {} : { tls: internal }),
  });
  return {
    channel: (address) => transport.channel(address),
    close: async () => {
      await transport.close();
      internal?.close();
    },
  };
}

export function dataDirOf(options: Pick<MetadataAccessOptions, "data">): string {
  return resolve(options.data ?? process.env.DOLIUM_DATA ?? "data");
}
