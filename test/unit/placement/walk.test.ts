// Walking to a healthy group, and what is put together when there is none.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { AssertionFailure, present } from "../../../services/lib/base/assert.ts";
import { ackCondition } from "../../../services/lib/placement/ack-condition.ts";
import type { ClusterMap } from "../../../services/lib/placement/cluster-map.ts";
import {
  computePlacementTable,
  placementGroupOf,
} from "../../../services/lib/placement/placement-table.ts";
import { walkPlacement } from "../../../services/lib/placement/walk.ts";
import { campusMap, domainsOf, evenMap, mapOf, policyOf, shardsByDomain } from "./clusters.ts";

const nodeOfDisk = (diskId: number): number => Math.floor(diskId / 100);
const keys = Array.from({ length: 300 }, (_, index) => `key ${index}`);

/** The map as the root group has it once those nodes are known to be down. */
function withDown(map: ClusterMap, down: readonly number[]): ClusterMap {
  return {
    ...map,
    nodes: map.nodes.map((node) =>
      down.includes(node.nodeId) ? { ...node, state: "down" as const } : node,
    ),
  };
}

test("with all disks usable a key goes to its own group", () => {
  const map = evenMap(9);
  const table = computePlacementTable(map, policyOf(4, 2));
  for (const key of keys) {
    const walk = present(
      walkPlacement(table, map, key, () => true),
      "walk",
    );
    assert.equal(walk.placementGroup, placementGroupOf(table, key));
    assert.deepEqual(walk.disks, table.groups[walk.placementGroup]);
    assert.equal(walk.relaxed, false);
  }
});

test("walks to the first group in ring order whose disks are all usable", () => {
  const map = evenMap(9);
  const table = computePlacementTable(map, policyOf(4, 2));
  let walked = 0;
  for (const key of keys) {
    const usable = (diskId: number): boolean => diskId !== 100 && diskId !== 400;
    const walk = present(walkPlacement(table, map, key, usable), "walk");
    const order = table.ring.membersFrom(key, 256);
    const healthy = order.find((group) => present(table.groups[group], "group").every(usable));
    assert.equal(walk.placementGroup, healthy);
    assert.deepEqual(walk.disks, table.groups[walk.placementGroup]);
    assert.equal(walk.relaxed, false);
    if (walk.placementGroup !== order[0]) walked += 1;
  }
  assert.ok(walked > 100, `${walked} of ${keys.length} walked on`);
});

test("finds a healthy group whenever there is one, else places full width", () => {
  const map = mapOf(Array.from({ length: 8 }, () => ({ disks: [1, 2] })));
  const all = map.nodes.flatMap((node) => node.disks.map((disk) => disk.diskId));
  const policy = policyOf(4, 2);
  const table = computePlacementTable(map, policy);
  fc.assert(
    fc.property(fc.subarray(all), fc.string(), (open, key) => {
      const usable = (diskId: number): boolean => open.includes(diskId);
      const walk = walkPlacement(table, map, key, usable);
      const healthy = table.groups.some((disks) => disks.every(usable));
      const nodes = new Set(open.map(nodeOfDisk)).size;
      if (walk === undefined) {
        assert.equal(healthy, false);
        assert.ok(nodes < 3, `${nodes} nodes could protect a chunk`);
        return;
      }
      assert.equal(walk.relaxed, !healthy);
      assert.equal(walk.disks.length, 6);
      assert.ok(walk.disks.every(usable), "only usable disks");
      if (nodes >= 3) {
        const most = Math.max(...shardsByDomain(walk.disks, domainsOf(map, "node")));
        assert.equal(most, healthy ? 1 : Math.ceil(6 / nodes));
      }
    }),
    { numRuns: 300 },
  );
});

test("6 nodes at 4+2 go on writing with 1, 2 or 3 nodes away, safe against one more", () => {
  const map = evenMap(6, [1, 1]);
  const policy = policyOf(4, 2);
  const table = computePlacementTable(map, policy);
  for (const down of [[1], [2, 5], [1, 3, 6]]) {
    const usable = (diskId: number): boolean => !down.includes(nodeOfDisk(diskId));
    for (const key of keys) {
      const walk = present(walkPlacement(table, map, key, usable), "walk");
      assert.equal(walk.relaxed, true);
      assert.equal(walk.placementGroup, placementGroupOf(table, key));
      assert.ok(Math.max(...shardsByDomain(walk.disks, domainsOf(map, "node"))) <= 2);
      assert.equal(new Set(walk.disks).size, 6, "different disks");
      assert.ok(ackCondition(walk.disks, withDown(map, down), policy), "can be acknowledged");
    }
  }
});

test("relaxed placements of many keys spread over all that is left", () => {
  const map = evenMap(6, [1, 1]);
  const table = computePlacementTable(map, policyOf(4, 2));
  const usable = (diskId: number): boolean => nodeOfDisk(diskId) !== 3;
  const counts = new Map<number, number>();
  for (const key of keys) {
    for (const disk of present(walkPlacement(table, map, key, usable), "walk").disks) {
      counts.set(disk, (counts.get(disk) ?? 0) + 1);
    }
  }
  assert.equal(counts.size, 10);
  for (const count of counts.values()) assert.ok(count > 140 && count < 220, `${count} of 180`);
});

test("with a campus away, 6+3 over three campuses is written so that any node may fail", () => {
  const map = campusMap();
  const policy = policyOf(6, 3, "campus");
  const table = computePlacementTable(map, policy);
  const usable = (diskId: number): boolean => nodeOfDisk(diskId) > 2;
  for (const key of keys.slice(0, 50)) {
    const walk = present(walkPlacement(table, map, key, usable), "walk");
    assert.equal(walk.relaxed, true);
    assert.ok(Math.max(...shardsByDomain(walk.disks, domainsOf(map, "node"))) <= 3);
    assert.ok(ackCondition(walk.disks, withDown(map, [1, 2]), policy));
    assert.ok(!ackCondition(walk.disks, map, policy), "not while the map has that campus up");
  }
});

test("an uneven rest falls back on nodes, so that the fullest one may still fail", () => {
  const campuses = ["east", "north", "north", "north", "north", "north", "west", "west"];
  const map = mapOf(campuses.map((campus) => ({ campus, disks: [1] })));
  const policy = policyOf(6, 3, "campus");
  const table = computePlacementTable(map, policy);
  const usable = (diskId: number): boolean => nodeOfDisk(diskId) <= 6;
  const walk = present(walkPlacement(table, map, "key", usable), "walk");
  assert.ok(Math.max(...shardsByDomain(walk.disks, domainsOf(map, "node"))) <= 2);
});

test("as many domains as the policy survives may be away, whatever is left", () => {
  const map = evenMap(3);
  const replicas = policyOf(1, 2);
  const table = computePlacementTable(map, replicas);
  const last = (diskId: number): boolean => diskId === 300;
  const walk = present(walkPlacement(table, map, "key", last), "walk");
  assert.deepEqual(walk.disks, [300, 300, 300]);
  assert.equal(walk.relaxed, true);
  const two = computePlacementTable(map, policyOf(2, 1));
  const walkTwo = walkPlacement(two, map, "key", (diskId) => diskId !== 100);
  assert.equal(walkTwo?.disks.length, 3);
});

test("gives nothing when no disk is usable or too little is left", () => {
  const map = evenMap(6);
  const table = computePlacementTable(map, policyOf(4, 2));
  assert.equal(
    walkPlacement(table, map, "key", () => false),
    undefined,
  );
  assert.equal(
    walkPlacement(table, map, "key", (diskId) => diskId <= 200),
    undefined,
  );
  assert.ok(walkPlacement(table, map, "key", (diskId) => diskId <= 300) !== undefined);
});

test("without parity anything usable will do", () => {
  const map = evenMap(4);
  const table = computePlacementTable(map, policyOf(3, 0));
  const walk = present(
    walkPlacement(table, map, "key", (diskId) => diskId === 200),
    "walk",
  );
  assert.deepEqual(walk.disks, [200, 200, 200]);
  assert.equal(walk.relaxed, true);
});

test("refuses a table of another epoch than the map", () => {
  const map = evenMap(3);
  const table = computePlacementTable(map, policyOf(2, 1));
  const newer = { ...map, epoch: 2 };
  assert.throws(() => walkPlacement(table, newer, "key", () => true), AssertionFailure);
});

test("a chunk's place costs the disks of its group, not those of the cluster", () => {
  const map = evenMap(300, [1, 1, 1]);
  const table = computePlacementTable(map, policyOf(4, 2));
  const asked = new Map<number, number>();
  const walk = walkPlacement(table, map, "key", (diskId) => {
    asked.set(diskId, (asked.get(diskId) ?? 0) + 1);
    return true;
  });
  assert.equal(walk?.disks.length, 6);
  assert.deepEqual([...asked.keys()].toSorted(), [...(walk?.disks ?? [])].toSorted());
  // With the group away, a few more; each disk is asked once.
  asked.clear();
  const away = new Set(walk?.disks);
  const other = walkPlacement(table, map, "key", (diskId) => {
    asked.set(diskId, (asked.get(diskId) ?? 0) + 1);
    return !away.has(diskId);
  });
  assert.equal(
    other?.disks.some((diskId) => away.has(diskId)),
    false,
  );
  assert.ok(asked.size < 200, `${asked.size} of 900 disks asked`);
  assert.ok([...asked.values()].every((count) => count === 1));
});
