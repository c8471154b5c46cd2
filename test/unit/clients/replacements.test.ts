// Replacement disks: spread first over failure domains, then nodes, then disks; the same on every
// process.
import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseReplacements } from "../../../services/lib/clients/replacements.ts";
import type { ClusterMap } from "../../../services/lib/placement/cluster-map.ts";

const POLICY = { name: "p", k: 4, m: 2, failureDomain: "node", cellBytes: 1024 } as const;

/** Nodes with two disks each: node n has disks 10n+1 and 10n+2. */
function mapOf(nodeIds: readonly number[]): ClusterMap {
  return {
    epoch: 1,
    policies: [POLICY],
    placementGroupCount: 8,
    nodes: nodeIds.map((nodeId) => ({
      nodeId,
      name: `n${nodeId}`,
      address: "",
      campus: "",
      rack: "",
      host: `h${nodeId}`,
      state: "up",
      disks: [1, 2].map((at) => ({ diskId: nodeId * 10 + at, weight: 1000, state: "up" })),
    })),
  };
}

const base = { policy: POLICY, seed: "chunk", usable: () => true };

test("a node that holds nothing yet comes first", () => {
  const held = [11, 21, 31, 41, 51];
  const [disk] = chooseReplacements({ ...base, map: mapOf([1, 2, 3, 4, 5, 6]), held, count: 1 });
  assert.equal(Math.floor((disk ?? 0) / 10), 6);
});

test("with every node taken, the other disk of a node comes before the same disk", () => {
  const held = [11, 21, 31];
  const chosen = chooseReplacements({ ...base, map: mapOf([1, 2, 3]), held, count: 3 });
  assert.deepEqual(chosen.toSorted(), [12, 22, 32]);
});

test("shards are spread evenly over what is usable", () => {
  const usable = (diskId: number): boolean => diskId < 50;
  const chosen = chooseReplacements({
    ...base,
    usable,
    map: mapOf([1, 2, 3, 4, 5, 6]),
    held: [],
    count: 6,
  });
  const counts = new Map<number, number>();
  for (const disk of chosen) {
    const node = Math.floor(disk / 10);
    counts.set(node, (counts.get(node) ?? 0) + 1);
  }
  assert.deepEqual([...counts.values()].toSorted(), [1, 1, 2, 2]);
});

test("nothing usable: nothing chosen", () => {
  const chosen = chooseReplacements({
    ...base,
    usable: () => false,
    map: mapOf([1]),
    held: [],
    count: 2,
  });
  assert.deepEqual(chosen, []);
});

test("the order of the map does not matter", () => {
  const held = [11];
  const one = chooseReplacements({ ...base, map: mapOf([1, 2, 3, 4]), held, count: 3 });
  const other = chooseReplacements({ ...base, map: mapOf([4, 2, 1, 3]), held, count: 3 });
  assert.deepEqual(one, other);
});
