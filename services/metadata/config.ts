// Settings of a metadata replica, with their defaults.
import { StoreError } from "../lib/base/errors.ts";
import { nameHash } from "./replica-id.ts";

export interface Peer {
  readonly name: string;
  /** host:port */
  readonly address: string;
}

export interface PolicySetting {
  readonly name: string;
  readonly dataShards: number;
  readonly parityShards: number;
  readonly failureDomain: string;
  readonly cellBytes: number;
}

/** What the first cluster map says; taken when the cluster is first started. */
export interface ClusterSettings {
  readonly policies: readonly PolicySetting[];
  readonly defaultPolicy: string;
  readonly placementGroupCount: number;
}

export interface MetadataConfig {
  readonly name: string;
  /** host:port at which the others reach this replica. */
  readonly address: string;
  /** host:port of its metrics and health, and the campus it stands at; told, nothing else. */
  readonly opsAddress?: string;
  readonly campus?: string;
  readonly dataDir: string;
  /** Every replica, this one among them; the same list on each. */
  readonly peers: readonly Peer[];
  /** Empty: made up at the first start; else another cluster's replicas are refused. */
  readonly clusterId: string;
  /** Raft groups for index ranges, taken when the cluster is first started. */
  readonly indexGroupCount: number;
  readonly cluster: ClusterSettings;
  readonly times?: Partial<MetadataTimes>;
  /** Write no first cluster map: a backup is imported, which brings one. */
  readonly awaitImport?: boolean;
  /** Rate of the background check of all stored values and files. */
  readonly auditBytesPerSecond?: number;
}

/** Milliseconds. */
export interface MetadataTimes {
  readonly suspectAfterMs: number;
  readonly downAfterMs: number;
  readonly outAfterMs: number;
  /** Between two looks at the storage nodes' silence. */
  readonly watchMs: number;
  /** For one command or read barrier. */
  readonly callMs: number;
  readonly digestMs: number;
  readonly auditMs: number;
  /** Between two attempts to find, form or join a cluster. */
  readonly retryMs: number;
}

const DEFAULT_TIMES: MetadataTimes = {
  suspectAfterMs: 3000,
  downAfterMs: 5000,
  outAfterMs: 600_000,
  watchMs: 500,
  callMs: 5000,
  digestMs: 60_000,
  auditMs: 24 * 3600_000,
  retryMs: 500,
};

export const AUDIT_BYTES_PER_SECOND = 16 * 1024 * 1024;

/** Throws StoreError "invalid" naming what is wrong. */
export function checkConfig(config: MetadataConfig): MetadataTimes {
  const { name, peers, indexGroupCount, cluster } = config;
  if (!peers.some((peer) => peer.name === name)) {
    throw new StoreError("invalid", `metadata replica ${name} is not in the list of replicas`);
  }
  const hashes = new Map<number, string>();
  for (const peer of peers) {
    const hash = nameHash(peer.name);
    const other = hashes.get(hash);
    if (other !== undefined) {
      const why = other === peer.name ? "is listed twice" : `looks like ${other}: rename it`;
      throw new StoreError("invalid", `metadata replica ${peer.name} ${why}`);
    }
    hashes.set(hash, peer.name);
  }
  if (indexGroupCount < 1) throw new StoreError("invalid", "there must be an index group");
  if (!cluster.policies.some((policy) => policy.name === cluster.defaultPolicy)) {
    throw new StoreError("invalid", `the default policy ${cluster.defaultPolicy} is not defined`);
  }
  return { ...DEFAULT_TIMES, ...config.times };
}
