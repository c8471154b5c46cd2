// How many storage nodes and disks may fail now with every object still readable. Counted from what
// is known of the shards: the placement table, the last whole count of the keeper, the disks that
// are away or lost, and the chunks that wait for repair. Never more than is so.
import { toHex } from "../base/bytes.ts";
import type { RepairEntry } from "../gen/dolium/record/v1/object_pb.ts";
import type { ClusterMap } from "../placement/cluster-map.ts";
import { failuresSurvived } from "../placement/protection.ts";

export interface Tolerance {
  readonly nodes: number;
  readonly disks: number;
}

/** A chunk as its manifest has it. */
export interface ChunkPlaces {
  readonly dataShards: number;
  /** 0 where a shard is owed. */
  readonly diskIds: readonly number[];
  /** Shards that the repair queue says are lost: owed, on a disk that is gone, or bad. */
  readonly owed: number;
}

/** What waits for repair in one group. */
export interface QueuedRepairs {
  readonly entries: readonly RepairEntry[];
  /** More waited than were listed. */
  readonly isCut: boolean;
  /** Chunks of entries by `chunkName`, as far as they were looked up. */
  readonly chunks: ReadonlyMap<string, ChunkPlaces>;
}

const PARITY_SHARDS = 2;

export function chunkName({ manifestId, chunkId }: Pick<RepairEntry, "manifestId" | "chunkId">) {
  return `${toHex(manifestId)}/${toHex(chunkId)}`;
}

/** Shards that may be lost besides those that are; entries of older releases count as 4+2. */
export function repairMargin({ parityShards, owed }: RepairEntry): number {
  return (parityShards === 0 ? PARITY_SHARDS : parityShards) - owed;
}

/** Disks whose shards can be read now, with their nodes. */
export function readableDisks(map: ClusterMap): Map<number, number> {
  const readable = new Map<number, number>();
  for (const node of map.nodes) {
    if (node.state !== "up" && node.state !== "draining") continue;
    for (const { diskId, state } of node.disks) {
      if (state === "up" || state === "readonly") readable.set(diskId, node.nodeId);
    }
  }
  return readable;
}

/** For one chunk; below 0 when it cannot be read now. */
export function chunkTolerance(
  readable: ReadonlyMap<number, number>,
  { dataShards, diskIds, owed }: ChunkPlaces,
): Tolerance {
  const nodes = new Map<number, number>();
  const disks = new Map<number, number>();
  let live = 0;
  for (const diskId of diskIds) {
    const nodeId = readable.get(diskId);
    if (nodeId === undefined) continue;
    live += 1;
    nodes.set(nodeId, (nodes.get(nodeId) ?? 0) + 1);
    disks.set(diskId, (disks.get(diskId) ?? 0) + 1);
  }
  // Of what is reported lost, some may be on a disk that answers: then it is bad there.
  const spare = Math.min(live, diskIds.length - owed) - dataShards;
  if (spare < 0) return { nodes: -1, disks: -1 };
  return {
    nodes: failuresSurvived([...nodes.values()], spare),
    disks: failuresSurvived([...disks.values()], spare),
  };
}

export interface ToleranceFacts {
  readonly map: ClusterMap;
  /** Of the default policy's placement table. */
  readonly table: Tolerance;
  /** Of the last whole count over all chunks that are whole; undefined: none yet, or no chunk. */
  readonly counted: Tolerance | undefined;
  /** Lost disks whose chunks are not all queued for repair. */
  readonly unsearched: ReadonlySet<number>;
  readonly queues: readonly QueuedRepairs[];
  /** Some group does not say what waits for repair. */
  readonly isUnknown: boolean;
}

export function toleranceNow(facts: ToleranceFacts): Tolerance {
  const { map, table, counted } = facts;
  if (facts.isUnknown) return { nodes: 0, disks: 0 };
  const away = awayNow(map, facts.unsearched);
  const whole = {
    nodes: Math.min(table.nodes, counted?.nodes ?? table.nodes) - away.nodes,
    disks: Math.min(table.disks, counted?.disks ?? table.disks) - away.disks,
  };
  const readable = readableDisks(map);
  let { nodes, disks } = whole;
  for (const { entries, isCut, chunks } of facts.queues) {
    if (isCut) return { nodes: 0, disks: 0 };
    for (const entry of entries) {
      const places = chunks.get(chunkName(entry));
      const found = places === undefined ? bound(entry, away) : chunkTolerance(readable, places);
      nodes = Math.min(nodes, found.nodes);
      disks = Math.min(disks, found.disks);
    }
  }
  return { nodes: Math.max(0, nodes), disks: Math.max(0, disks) };
}

/** A chunk that was not looked up: crowded ones may lose more than a shard with a node. */
function bound(entry: RepairEntry, away: Tolerance): Tolerance {
  if (entry.relaxed) return { nodes: 0, disks: 0 };
  const margin = repairMargin(entry);
  return { nodes: margin - away.nodes, disks: margin - away.disks };
}

/** Nodes and disks that do not answer and may hold shards of chunks outside the repair queues. */
function awayNow(map: ClusterMap, unsearched: ReadonlySet<number>): Tolerance {
  let nodes = 0;
  let disks = 0;
  for (const node of map.nodes) {
    const isAway = node.state === "down" || node.state === "suspect";
    const lost = node.disks.filter(({ diskId, state }) => {
      if (isAway && state !== "out" && state !== "failed") return true;
      return unsearched.has(diskId);
    });
    nodes += lost.length > 0 || (isAway && node.disks.length === 0) ? 1 : 0;
    disks += lost.length;
  }
  return { nodes, disks };
}
