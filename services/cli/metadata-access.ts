// How commands that speak to the metadata replicas themselves reach them: by the configuration of a
// process of the cluster, or by the data directory of a local one.
import { resolve } from "node:path";
import process from "node:process";
import { UsageError } from "./command-line.ts";
import { clusterSecretFile, clusterSecretOf } from "./credentials.ts";
import { readPlan } from "./dev/cluster-file.ts";
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
  readonly clusterSecret: string;
}

/** Throws UsageError. */
export function metadataPlaceOf(options: MetadataAccessOptions): MetadataPlace {
  if (options.config !== undefined) {
    const { cluster } = readConfig(options.config);
    const addresses = cluster.metadata.map(({ address }) => address);
    if (addresses.length === 0) throw new UsageError(`${options.config} names no metadata replica`);
    return { addresses, clusterSecret: cluster.secret };
  }
  const dataDir = dataDirOf(options);
  const plan = readPlan(dataDir);
  if (plan === undefined) {
    throw new UsageError(`${dataDir} holds no cluster: name its data directory with --data`);
  }
  const addresses = plan.processes
    .filter((planned) => planned.role === "metadata")
    .map((planned) => `127.0.0.1:${planned.rpcPort}`);
  return { addresses, clusterSecret: clusterSecretOf(clusterSecretFile(dataDir)) };
}

export function dataDirOf(options: Pick<MetadataAccessOptions, "data">): string {
  return resolve(options.data ?? process.env.DOLIUM_DATA ?? "data");
}
