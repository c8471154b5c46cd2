// Chooses disks for shards that lost theirs: spread over failure domains first, then nodes, then
// disks, and among equals by a hash that every process computes alike.
import { createHash } from "node:crypto";
import { present } from "../base/assert.ts";
import {
  type ClusterMap,
  type DiskInfo,
  disksFor,
  failureDomainOf,
  type NodeInfo,
  type Policy,
} from "../placement/cluster-map.ts";

export interface ReplacementRequest {
  readonly map: ClusterMap;
  readonly policy: Policy;
  /** Disks that hold the other shards of the chunk, one entry a shard. */
  readonly held: readonly number[];
  readonly count: number;
  /** Names the chunk. */
  readonly seed: string;
  readonly usable: (diskId: number) => boolean;
}

interface Candidate {
  readonly disk: DiskInfo;
  readonly node: NodeInfo;
  readonly domain: string;
  readonly rank: number;
}

/** Disk ids, best first, at most `count`. A disk comes twice only when no other is left. */
export function chooseReplacements(request: ReplacementRequest): number[] {
  const all = candidatesOf(request);
  const usable = all.filter((candidate) => request.usable(candidate.disk.diskId));
  const held = request.held.flatMap((diskId) => all.filter(({ disk }) => disk.diskId === diskId));
  const chosen: number[] = [];
  while (chosen.length < request.count && usable.length > 0) {
    usable.sort((a, b) => load(held, a) - load(held, b) || b.rank - a.rank);
    const best = present(usable[0], "candidate");
    chosen.push(best.disk.diskId);
    held.push(best);
  }
  return chosen;
}

/**
 * Shards in the same domain weigh more than those on the same node, these more than on the same
 * disk.
 */
function load(held: readonly Candidate[], candidate: Candidate): number {
  let sum = 0;
  for (const other of held) {
    if (other.domain === candidate.domain) sum += 10_000;
    if (other.node.nodeId === candidate.node.nodeId) sum += 100;
    if (other.disk.diskId === candidate.disk.diskId) sum += 1;
  }
  return sum;
}

function candidatesOf({ map, policy, seed }: ReplacementRequest): Candidate[] {
  return disksFor(map, policy).map(({ node, disk }) => ({
    disk,
    node,
    domain: failureDomainOf({ node, disk }, policy.failureDomain),
    rank: rankOf(seed, disk),
  }));
}

/** Weighted rendezvous hashing: larger disks win more often, in proportion. */
function rankOf(seed: string, disk: DiskInfo): number {
  const hash = createHash("sha256").update(`${seed}#${disk.diskId}`).digest();
  const unit = (hash.readUIntBE(0, 6) + 1) / 2 ** 48;
  return -Math.max(1, disk.weight) / Math.log(Math.min(unit, 1 - Number.EPSILON));
}
