// The placement table: distinct domains, shares by weight, little movement, the same for everyone.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { promisify } from "node:util";
import fc from "fast-check";
import { present } from "../../../services/lib/base/assert.ts";
import { isStoreError } from "../../../services/lib/base/errors.ts";
import type { ClusterMap, FailureDomain } from "../../../services/lib/placement/cluster-map.ts";
import {
  computePlacementTable,
  type PlacementTable,
  placementGroupOf,
  shardMoves,
} from "../../../services/lib/placement/placement-table.ts";
import {
  campusMap,
  domainsOf,
  evenMap,
  mapOf,
  movedShards,
  nodeOf,
  policyOf,
  shardsByDomain,
  tally,
} from "./clusters.ts";

const run = promisify(execFile);

/** Lowest and highest share of a disk, 1 being its part by weight. */
function balance(table: PlacementTable): { readonly low: number; readonly high: number } {
  const counts = tally(table.groups.flat());
  const weight = table.places.reduce((sum, { disk }) => sum + disk.weight, 0);
  const shards = table.groups.flat().length;
  const shares = table.places.map(
    ({ disk }) => ((counts.get(disk.diskId) ?? 0) * weight) / (disk.weight * shards),
  );
  return { low: Math.min(...shares), high: Math.max(...shares) };
}

function assertBalanced(table: PlacementTable, what: string): void {
  const { low, high } = balance(table);
  assert.ok(low >= 0.9 && high <= 1.1, `${what}: shares from ${low} to ${high}`);
}

function withoutNode(map: ClusterMap, nodeId: number): ClusterMap {
  return { ...map, epoch: map.epoch + 1, nodes: map.nodes.filter((n) => n.nodeId !== nodeId) };
}

test("shares follow weight within 10 % on 6 to 12 equal nodes", () => {
  for (let nodes = 6; nodes <= 12; nodes += 1) {
    for (const disks of [[1], [1, 1], [1, 1, 1, 1]]) {
      for (const policy of [policyOf(4, 2), policyOf(2, 1), policyOf(1, 2)]) {
        const table = computePlacementTable(evenMap(nodes, disks), policy);
        assertBalanced(table, `${policy.name} on ${nodes} nodes of ${disks.length} disks`);
      }
    }
  }
});

test("shares follow weight within 10 % on unequal nodes, where domains allow it", () => {
  const weights = fc.array(fc.integer({ min: 4, max: 8 }), { minLength: 9, maxLength: 12 });
  fc.assert(
    fc.property(weights, (terabytes) => {
      // At most 8 of at least 8 + 8 * 4: no node is due more than one shard of a 4+1 group.
      const map = mapOf(terabytes.map((weight) => ({ disks: [weight] })));
      assertBalanced(computePlacementTable(map, policyOf(4, 1)), terabytes.join());
    }),
    { numRuns: 40 },
  );
});

test("unequal disks inside a node share its part by weight", () => {
  const map = mapOf(Array.from({ length: 7 }, () => ({ disks: [4, 2, 2] })));
  assertBalanced(computePlacementTable(map, policyOf(4, 2)), "disks of 4, 2 and 2");
});

test("a node too large for its share gets one shard of every group, the others the rest", () => {
  const map = mapOf([50, 4, 4, 4, 2, 2].map((weight) => ({ disks: [weight] })));
  const table = computePlacementTable(map, policyOf(2, 1));
  const counts = tally(table.groups.flat());
  assert.equal(counts.get(100), 256);
  for (const [diskId, weight] of [
    [200, 4],
    [300, 4],
    [400, 4],
    [500, 2],
    [600, 2],
  ] as const) {
    const due = (512 * weight) / 16;
    const share = (counts.get(diskId) ?? 0) / due;
    assert.ok(share > 0.9 && share < 1.1, `disk ${diskId}: ${share}`);
  }
});

test("bytes follow weight within 10 % when many chunks are hashed onto the groups", () => {
  const map = evenMap(9, [1, 1]);
  const table = computePlacementTable(map, policyOf(4, 2));
  const chunks = Array.from({ length: 30_000 }, (_, index) =>
    createHash("md5").update(String(index)).digest("hex"),
  );
  const disks = chunks.flatMap((key) =>
    present(table.groups[placementGroupOf(table, key)], "group"),
  );
  const average = disks.length / 18;
  for (const [diskId, count] of tally(disks)) {
    assert.ok(Math.abs(count / average - 1) < 0.1, `disk ${diskId}: ${count} of ${average}`);
  }
});

const sketches = fc.array(
  fc.record({
    disks: fc.array(fc.integer({ min: 1, max: 16 }), { minLength: 1, maxLength: 4 }),
    campus: fc.constantFrom("east", "north", "west"),
    rack: fc.constantFrom("r1", "r2"),
    host: fc.constantFrom("h1", "h2", "h3"),
  }),
  { minLength: 1, maxLength: 14 },
);
const domain = fc.constantFrom<FailureDomain>("disk", "node", "host", "rack", "campus");

test("every group is full and spread evenly over domains", () => {
  fc.assert(
    fc.property(
      sketches,
      domain,
      fc.integer({ min: 1, max: 8 }),
      fc.integer({ min: 0, max: 4 }),
      (nodes, failureDomain, k, m) => {
        const map = { ...mapOf(nodes), placementGroupCount: 24 };
        const policy = policyOf(k, m, failureDomain);
        const table = computePlacementTable(map, policy, { relaxed: true });
        const level = table.relaxed ? undefined : failureDomain;
        assert.equal(table.groups.length, 24);
        for (const disks of table.groups) {
          assert.equal(disks.length, k + m);
          if (level === undefined) continue;
          const domains = domainsOf(map, level);
          const count = new Set(domains.values()).size;
          const shards = shardsByDomain(disks, domains);
          assert.ok(Math.max(...shards) <= Math.ceil((k + m) / count), "evenly over domains");
          assert.equal(shards.length, Math.min(count, k + m), "over as many domains as there are");
        }
      },
    ),
    { numRuns: 150 },
  );
});

test("inside a domain, shards go to different nodes and disks first", () => {
  const map = campusMap();
  const table = computePlacementTable(map, policyOf(6, 3, "campus"));
  for (const disks of table.groups) {
    assert.deepEqual(shardsByDomain(disks, domainsOf(map, "campus")), [3, 3, 3]);
    assert.ok(shardsByDomain(disks, domainsOf(map, "node")).every((shards) => shards <= 2));
    assert.equal(new Set(disks).size, 9, "9 of 12 disks");
  }
  assert.equal(table.survives, 1);
});

test("the table does not depend on the order of nodes and disks in the map", () => {
  fc.assert(
    fc.property(sketches, domain, fc.integer(), (nodes, failureDomain, salt) => {
      const map = { ...mapOf(nodes), placementGroupCount: 16 };
      const rank = (id: number): string => createHash("md5").update(`${salt} ${id}`).digest("hex");
      const shuffled = {
        ...map,
        nodes: map.nodes
          .toSorted((a, b) => (rank(a.nodeId) < rank(b.nodeId) ? -1 : 1))
          .map((node) => ({
            ...node,
            disks: node.disks.toSorted((a, b) => (rank(a.diskId) < rank(b.diskId) ? -1 : 1)),
          })),
      };
      const policy = policyOf(3, 2, failureDomain);
      const [first, second] = [map, shuffled].map((given) =>
        computePlacementTable(given, policy, { relaxed: true }),
      );
      assert.deepEqual(second?.groups, first?.groups);
    }),
    { numRuns: 50 },
  );
});

test("two processes with the map in different orders print the same table and walks", async () => {
  const map = mapOf([3, 1, 2, 5, 4, 2, 3, 1].map((weight) => ({ disks: [weight, 2] })));
  const policy = policyOf(4, 2);
  const reversed = {
    ...map,
    nodes: map.nodes.toReversed().map((node) => ({ ...node, disks: node.disks.toReversed() })),
  };
  const script = join(import.meta.dirname, "print-table.ts");
  const [first, second] = await Promise.all(
    [map, reversed].map((given) =>
      run(process.execPath, [script, JSON.stringify({ map: given, policy })], {
        maxBuffer: 16 * 1024 * 1024,
      }),
    ),
  );
  assert.ok(present(first, "output").stdout.length > 5000);
  assert.equal(first?.stdout, second?.stdout);
});

test("golden table: another release must place as this one does", () => {
  const map = mapOf([3, 1, 2, 5, 4, 2, 3, 1].map((weight) => ({ disks: [weight, 2] })));
  const { groups } = computePlacementTable(map, policyOf(4, 2));
  const digest = createHash("sha256").update(JSON.stringify(groups)).digest("hex");
  assert.deepEqual(groups[0], [201, 500, 700, 400, 101, 801]);
  assert.equal(digest, "a53fe449f88e294aa3c503b6ff0f914b289411af6396959d57eb03456fea4561");
});

for (const [nodes, disks] of [
  [6, [1]],
  [7, [1]],
  [8, [1, 1, 1]],
  [9, [1, 1]],
  [12, [1, 1, 1, 1]],
] as const) {
  test(`a node joining ${nodes} nodes of ${disks.length} disks moves near its share`, () => {
    const larger = evenMap(nodes + 1, disks);
    const smaller = withoutNode(larger, nodes + 1);
    const before = computePlacementTable(smaller, policyOf(4, 2));
    const after = computePlacementTable(larger, policyOf(4, 2));
    const ideal = (256 * 6) / (nodes + 1);
    const moved = movedShards(before, after);
    assert.ok(moved >= ideal * 0.9, `${moved} moved, at least ${ideal} must`);
    assert.ok(moved <= ideal * 1.6, `joining moved ${moved}, ideal ${ideal}`);
    const back = movedShards(after, before);
    assert.ok(back <= ideal * 1.6, `leaving moved ${back}, ideal ${ideal}`);
  });
}

test("removing any one node of 9 moves at most twice what it held", () => {
  const map = mapOf([3, 4, 3, 5, 4, 4, 3, 5, 4].map((weight) => ({ disks: [weight, weight] })));
  const before = computePlacementTable(map, policyOf(4, 2));
  for (const { nodeId } of map.nodes) {
    const after = computePlacementTable(withoutNode(map, nodeId), policyOf(4, 2));
    const held = before.groups.flat().filter((disk) => Math.floor(disk / 100) === nodeId).length;
    const moved = movedShards(before, after);
    assert.ok(moved >= held && moved <= 2 * held, `node ${nodeId}: ${moved} moved, held ${held}`);
  }
});

test("one disk leaving moves at most twice what it held", () => {
  const map = evenMap(8, [1, 1, 1]);
  const before = computePlacementTable(map, policyOf(4, 2));
  const first = present(map.nodes[0], "node");
  const lost = {
    ...map,
    nodes: [{ ...first, disks: first.disks.slice(1) }, ...map.nodes.slice(1)],
  };
  const held = before.groups.flat().filter((disk) => disk === 100).length;
  const moved = movedShards(before, computePlacementTable(lost, policyOf(4, 2)));
  assert.ok(moved >= held && moved <= 2 * held, `${moved} moved, held ${held}`);
});

test("states that pass move nothing; states that stay move shards away", () => {
  const map = evenMap(8, [1, 1]);
  const base = computePlacementTable(map, policyOf(4, 2));
  const uses = (table: PlacementTable, id: number): boolean => table.groups.flat().includes(id);
  const [first, ...others] = map.nodes;
  const node = present(first, "node");
  for (const state of ["suspect", "down"] as const) {
    const changed = { ...map, nodes: [{ ...node, state }, ...others] };
    assert.deepEqual(computePlacementTable(changed, policyOf(4, 2)).groups, base.groups);
  }
  for (const state of ["out", "draining"] as const) {
    const changed = { ...map, nodes: [{ ...node, state }, ...others] };
    const table = computePlacementTable(changed, policyOf(4, 2));
    assert.ok(!uses(table, 100) && !uses(table, 101), state);
  }
  for (const [state, used] of [
    ["readonly", true],
    ["failed", false],
    ["out", false],
  ] as const) {
    const disks = node.disks.map((disk, index) => (index === 0 ? { ...disk, state } : disk));
    const changed = { ...map, nodes: [{ ...node, disks }, ...others] };
    assert.equal(uses(computePlacementTable(changed, policyOf(4, 2)), 100), used, state);
  }
});

test("a disk of weight 0 gets nothing", () => {
  const map = mapOf([{ disks: [1, 0] }, { disks: [1] }, { disks: [1] }]);
  const used = new Set(computePlacementTable(map, policyOf(2, 1)).groups.flat());
  assert.deepEqual([...used].sort(), [100, 200, 300]);
});

test("one disk is enough for 1+0, and for k+0", () => {
  const map = mapOf([{ disks: [1] }]);
  const table = computePlacementTable(map, policyOf(1, 0));
  assert.ok(table.groups.every((disks) => disks.length === 1 && disks[0] === 100));
  assert.equal(table.survives, 0);
  assert.equal(table.relaxed, false);
  assert.deepEqual(computePlacementTable(map, policyOf(3, 0)).groups[0], [100, 100, 100]);
});

test("fewer nodes than shards: two a node on 3 nodes survive one node", () => {
  const table = computePlacementTable(evenMap(3, [1, 1]), policyOf(4, 2));
  assert.equal(table.survives, 1);
  assert.equal(table.relaxed, false);
  for (const disks of table.groups) assert.equal(new Set(disks).size, 6);
});

test("refuses a policy that one domain's loss would break, unless asked to relax", () => {
  const map = evenMap(2, [1, 1, 1]);
  assert.throws(
    () => computePlacementTable(map, policyOf(4, 2)),
    (error) => isStoreError(error, "invalid") && /needs 3 or more of kind node/.test(error.message),
  );
  const table = computePlacementTable(map, policyOf(4, 2), { relaxed: true });
  assert.equal(table.relaxed, true);
  assert.equal(table.survives, 0);
  for (const disks of table.groups) assert.equal(new Set(disks).size, 6);
});

test("refuses nonsense with a sentence", () => {
  const map = evenMap(3);
  const twice = { ...map, nodes: [...map.nodes, nodeOf(1, { disks: [] })] };
  const sameDisk = { ...map, nodes: [...map.nodes, { ...nodeOf(1, { disks: [1] }), nodeId: 9 }] };
  const refused: (() => unknown)[] = [
    () => computePlacementTable({ ...map, nodes: [] }, policyOf(1, 0)),
    () => computePlacementTable(mapOf([{ disks: [0] }]), policyOf(1, 0)),
    () => computePlacementTable(mapOf([{ disks: [-1] }]), policyOf(1, 0)),
    () => computePlacementTable(mapOf([{ disks: [1], state: "out" }]), policyOf(1, 0)),
    () => computePlacementTable(twice, policyOf(2, 1)),
    () => computePlacementTable(sameDisk, policyOf(2, 1)),
    () => computePlacementTable({ ...map, placementGroupCount: -1 }, policyOf(2, 1)),
    () => computePlacementTable({ ...map, placementGroupCount: 1e6 }, policyOf(2, 1)),
    () => computePlacementTable(map, policyOf(0, 1)),
    () => computePlacementTable(map, policyOf(17, 1)),
    () => computePlacementTable(map, policyOf(2, 9)),
    () => computePlacementTable(map, { ...policyOf(2, 1), cellBytes: 0 }),
  ];
  for (const attempt of refused) {
    assert.throws(attempt, (error) => isStoreError(error, "invalid") && error.message.length > 20);
  }
});

test("0 placement groups stand for 256; a ring is used again when it fits", () => {
  const map = { ...evenMap(3), placementGroupCount: 0 };
  const table = computePlacementTable(map, policyOf(2, 1));
  assert.equal(table.groups.length, 256);
  const again = computePlacementTable(map, policyOf(2, 1), { ring: table.ring });
  assert.equal(again.ring, table.ring);
  const other = computePlacementTable({ ...map, placementGroupCount: 64 }, policyOf(2, 1), {
    ring: table.ring,
  });
  assert.equal(other.ring.memberCount, 64);
});

test("shardMoves moves only shards on disks outside the group", () => {
  assert.deepEqual(shardMoves([1, 2, 3], [3, 1, 2]), []);
  assert.deepEqual(shardMoves([1, 2, 3], [3, 4, 1]), [{ shardIndex: 1, toDiskId: 4 }]);
  assert.deepEqual(shardMoves([1, 1, 3], [1, 2, 3]), [{ shardIndex: 1, toDiskId: 2 }]);
  // An owed shard (disk 0) is outside every group.
  assert.deepEqual(shardMoves([0, 2], [2, 5]), [{ shardIndex: 0, toDiskId: 5 }]);
});
