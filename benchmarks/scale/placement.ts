// What the layout of a cluster costs with 10, 100 and 1,000 nodes of 12 disks: the stored map, the
// table that each gateway computes at a new epoch, the place of one chunk, and how even it is.
// `node benchmarks/scale/placement.ts [NODES:GROUPS ...]`
import process from "node:process";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { clusterMapFromRecord } from "../../services/lib/clients/cluster-map-record.ts";
import {
  ClusterMapSchema,
  DiskState,
  type ClusterMap as MapRecord,
  NodeState,
} from "../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import type { Policy } from "../../services/lib/placement/cluster-map.ts";
import {
  computePlacementTable,
  type PlacementTable,
  shardMoves,
} from "../../services/lib/placement/placement-table.ts";
import { walkPlacement } from "../../services/lib/placement/walk.ts";
import { medianMs, printed } from "./timing.ts";

const DISKS = 12;
const CHUNKS = 2000;
const ROUNDS = 3;
const POLICY: Policy = { name: "p", k: 4, m: 2, failureDomain: "node", cellBytes: 131_072 };

function recordOf(count: number, placementGroupCount: number): MapRecord {
  const nodes = Array.from({ length: count }, (_, at) => ({
    nodeId: at + 1,
    name: `storage-${at + 1}`,
    address: `storage-${at + 1}.storage.example:9100`,
    campus: `campus-${at % 3}`,
    rack: `rack-${at % 40}`,
    host: `host-${at + 1}`,
    state: NodeState.UP,
    disks: Array.from({ length: DISKS }, (_disk, disk) => ({
      diskId: at * DISKS + disk + 1,
      diskUuid: Buffer.alloc(16, at),
      weight: 16_000_000_000_000n,
      state: DiskState.UP,
    })),
  }));
  return create(ClusterMapSchema, { epoch: 1n, placementGroupCount, nodes });
}

/** Shards of groups on the fullest disk, and disks with none. */
function evenness(table: PlacementTable): { readonly most: number; readonly none: number } {
  const counts = new Map(table.places.map(({ disk }) => [disk.diskId, 0]));
  for (const diskId of table.groups.flat()) counts.set(diskId, (counts.get(diskId) ?? 0) + 1);
  const all = [...counts.values()];
  return { most: Math.max(...all), none: all.filter((count) => count === 0).length };
}

async function measured(count: number, groups: number): Promise<Record<string, number>> {
  const record = recordOf(count, groups);
  const bytes = toBinary(ClusterMapSchema, record);
  const map = clusterMapFromRecord(record);
  const decodeMs = await medianMs(ROUNDS, () => {
    clusterMapFromRecord(fromBinary(ClusterMapSchema, bytes));
  });
  const first = computePlacementTable(map, POLICY);
  const tableMs = await medianMs(ROUNDS, () => {
    computePlacementTable(map, POLICY, { ring: first.ring });
  });
  const chunksMs = await medianMs(ROUNDS, () => {
    for (let at = 0; at < CHUNKS; at += 1) walkPlacement(first, map, `chunk ${at}`, () => true);
  });
  const without = { ...map, nodes: map.nodes.slice(1) };
  const after = computePlacementTable(without, POLICY, { ring: first.ring });
  const moved = first.groups.reduce(
    (sum, disks, group) => sum + shardMoves(disks, after.groups[group] ?? []).length,
    0,
  );
  return {
    nodes: count,
    disks: count * DISKS,
    groups,
    "map KiB": bytes.byteLength / 1024,
    "decode ms": decodeMs,
    "table ms": tableMs,
    "place us": (chunksMs * 1000) / CHUNKS,
    "shards moved when a node goes": moved,
    ...evenness(first),
  };
}

const asked = process.argv.slice(2);
for (const sizes of asked.length > 0 ? asked : ["10:256", "100:256", "1000:256"]) {
  const [nodes = 10, groups = 256] = sizes.split(":").map(Number);
  printed(await measured(nodes, groups));
}
