// What placing costs: a table for a whole cluster, made once an epoch, and the disks of one chunk.
// `node benchmarks/micro/placement.ts`; microseconds of processor time of this thread, best of five
// rounds.
import process from "node:process";
import type { ClusterMap, Policy } from "../../services/lib/placement/cluster-map.ts";
import {
  computePlacementTable,
  placementGroupOf,
} from "../../services/lib/placement/placement-table.ts";
import { walkPlacement } from "../../services/lib/placement/walk.ts";

const ROUNDS = 5;
const NODE_COUNTS = [6, 30, 100];
const DISKS_A_NODE = 4;
const TABLES = 3;
const WALKS = 2000;

const policy: Policy = {
  name: "standard",
  k: 4,
  m: 2,
  failureDomain: "node",
  cellBytes: 256 * 1024,
};

function mapOf(nodeCount: number): ClusterMap {
  const nodes = Array.from({ length: nodeCount }, (_, at) => ({
    nodeId: at + 1,
    name: `node-${at + 1}`,
    address: `node-${at + 1}:1`,
    campus: `campus-${at % 3}`,
    rack: `rack-${at % 10}`,
    host: `host-${at + 1}`,
    state: "up" as const,
    disks: Array.from({ length: DISKS_A_NODE }, (_none, disk) => ({
      diskId: (at + 1) * 100 + disk,
      weight: 1e12,
      state: "up" as const,
    })),
  }));
  return { epoch: 1, nodes, policies: [policy], placementGroupCount: 256 };
}

function timed(what: string, count: number, work: (at: number) => unknown): void {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round += 1) {
    const before = process.threadCpuUsage();
    for (let at = 0; at < count; at += 1) work(at);
    const { user, system } = process.threadCpuUsage(before);
    best = Math.min(best, (user + system) / count);
  }
  process.stdout.write(`${what.padEnd(44)} ${best.toFixed(2).padStart(10)} us\n`);
}

for (const nodeCount of NODE_COUNTS) {
  const map = mapOf(nodeCount);
  timed(`table of ${nodeCount} nodes`, TABLES, () => computePlacementTable(map, policy));
  const table = computePlacementTable(map, policy);
  const key = (at: number): string => `chunk-${at}`;
  timed(`group of a chunk, ${nodeCount} nodes`, WALKS, (at) => placementGroupOf(table, key(at)));
  const disks = (at: number) => walkPlacement(table, map, key(at), () => true);
  timed(`disks of a chunk, ${nodeCount} nodes`, WALKS, disks);
}
