// The policy a cluster of a given size starts with: one shard to each failure domain, up to 4+2,
// and as many metadata replicas as bear the same number of losses.

export interface StartPolicy {
  readonly name: string;
  readonly dataShards: number;
  readonly parityShards: number;
  readonly failureDomain: "disk" | "node";
  readonly cellBytes: number;
}

const CELL_BYTES = 128 * 1024;

/** Data and parity shards by number of domains; more than six stay at 4+2. */
const SCHEMES: readonly (readonly [number, number])[] = [
  [1, 0],
  [1, 1],
  [2, 1],
  [2, 2],
  [3, 2],
  [4, 2],
];

/** `domains`: disks of a single server, or storage nodes of a cluster. */
export function startPolicy(domains: number, failureDomain: "disk" | "node"): StartPolicy {
  const [dataShards, parityShards] = SCHEMES[Math.min(domains, SCHEMES.length) - 1] ?? [1, 0];
  return { name: "standard", dataShards, parityShards, failureDomain, cellBytes: CELL_BYTES };
}

/** Metadata replicas of a single server over `directories`: 2f+1 for the f its data may lose. */
export function replicasFor(directories: number): number {
  const { parityShards } = startPolicy(directories, "disk");
  return Math.max(1, Math.min(2 * parityShards + 1, directories - (directories % 2 === 0 ? 1 : 0)));
}
