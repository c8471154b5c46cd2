// What keepers say in their heartbeats, as JSON: which lost disks were searched, how far an asked
// pass of repair is, where rebalancing stands. Of several keepers the one that looked last counts.
import type { ClusterStatusResponse } from "../gen/dolium/cluster/v1/cluster_pb.ts";

/** Where moving shards to their places in the present layout stands. */
export interface RebalanceView {
  /** waiting, counting, moving or settled. */
  readonly phase: string;
  /** Share of the bytes to move that is moved, 0 to 1. */
  readonly progressRatio: number;
  readonly remainingShards: number;
  readonly remainingBytes: number;
  readonly movedShards: number;
  readonly movedBytes: number;
  /** When the last whole count began, milliseconds since 1970; 0: none for this layout. */
  readonly countedMs: number;
}

export interface KeeperReport {
  /** By group, the lost disks whose chunks are all queued or repaired. */
  readonly searched: ReadonlyMap<number, ReadonlySet<number>>;
  /** The last pass of repair asked for by an operator that is done. */
  readonly repairPassDone: number;
  readonly rebalance: RebalanceView | undefined;
  /** Shards on nodes that are being emptied, by node id, as of that count. */
  readonly leaving: ReadonlyMap<number, number>;
  /** Nodes and disks of which any may fail, for chunks that are whole; as of the last count. */
  readonly counted: { readonly nodes: number; readonly disks: number } | undefined;
}

export function readKeepers(cluster: ClusterStatusResponse | undefined): KeeperReport {
  const searched = new Map<number, Set<number>>();
  let repairPassDone = 0;
  let newest: { readonly atMs: number; readonly fields: ReadonlyMap<string, unknown> } | undefined;
  for (const running of cluster?.processes ?? []) {
    if (running.role !== "keeper" || running.details === "") continue;
    const details = fieldsOf(JSON.parse(running.details));
    for (const [groupId, disks] of fieldsOf(details.get("searchedDisks"))) {
      const known = searched.get(Number(groupId)) ?? new Set<number>();
      for (const diskId of Array.isArray(disks) ? disks : []) known.add(Number(diskId));
      searched.set(Number(groupId), known);
    }
    repairPassDone = Math.max(repairPassDone, countOf(details.get("repairPassDone")));
    const fields = fieldsOf(details.get("rebalance"));
    const atMs = countOf(fields.get("atMs"));
    if (fields.size > 0 && (newest === undefined || atMs > newest.atMs)) newest = { atMs, fields };
  }
  return { searched, repairPassDone, ...rebalanceOf(newest?.fields) };
}

function rebalanceOf(
  fields: ReadonlyMap<string, unknown> | undefined,
): Pick<KeeperReport, "rebalance" | "leaving" | "counted"> {
  if (fields === undefined) return { rebalance: undefined, leaving: new Map(), counted: undefined };
  const count = (name: string): number => countOf(fields.get(name));
  const leaving = [...fieldsOf(fields.get("leaving"))].map(
    ([nodeId, shards]) => [Number(nodeId), countOf(shards)] as const,
  );
  const survives = fieldsOf(fields.get("survives"));
  return {
    rebalance: {
      phase: String(fields.get("phase")),
      progressRatio: count("ratio"),
      remainingShards: Math.max(0, count("shards") - count("walkShards")),
      remainingBytes: Math.max(0, count("bytes") - count("walkBytes")),
      movedShards: count("movedShards"),
      movedBytes: count("movedBytes"),
      countedMs: count("countedMs"),
    },
    leaving: new Map(leaving),
    counted:
      survives.size === 0
        ? undefined
        : { nodes: countOf(survives.get("nodes")), disks: countOf(survives.get("disks")) },
  };
}

function fieldsOf(value: unknown): ReadonlyMap<string, unknown> {
  return new Map<string, unknown>(
    typeof value === "object" && value !== null ? Object.entries(value) : [],
  );
}

function countOf(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : 0;
}
