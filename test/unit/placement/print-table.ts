// Prints the placement table and some key look-ups for the cluster map and policy given as JSON in
// the first argument; a process of its own for the test that all processes agree.
import process from "node:process";
import type { ClusterMap, Policy } from "../../../services/lib/placement/cluster-map.ts";
import {
  computePlacementTable,
  placementGroupOf,
} from "../../../services/lib/placement/placement-table.ts";
import { walkPlacement } from "../../../services/lib/placement/walk.ts";

const { map, policy }: { map: ClusterMap; policy: Policy } = JSON.parse(process.argv[2] ?? "");
const table = computePlacementTable(map, policy);
const keys = Array.from({ length: 200 }, (_, index) => `key ${index}`);
const output = {
  groups: table.groups,
  keys: keys.map((key) => placementGroupOf(table, key)),
  walks: keys.map((key) => walkPlacement(table, map, key, (diskId) => diskId >= 200)),
};
process.stdout.write(JSON.stringify(output));
