// What may fail is never more than a count over every chunk says, whatever is away, lost, crowded
// or waiting for repair; with nothing waiting it is just that.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import {
  chunkName,
  chunkTolerance,
  type QueuedRepairs,
  readableDisks,
  repairMargin,
  toleranceNow,
} from "../../../services/lib/clients/failure-tolerance.ts";
import { RepairEntrySchema } from "../../../services/lib/gen/dolium/record/v1/object_pb.ts";
import type { ClusterMap, NodeState } from "../../../services/lib/placement/cluster-map.ts";
import { survivesText } from "../../../services/lib/placement/survives.ts";

const POLICY = { name: "p", k: 4, m: 2, failureDomain: "node", cellBytes: 1024 } as const;

/** Nodes of two disks each: disks 1 and 2, 3 and 4, ... */
function mapOf(states: readonly NodeState[]): ClusterMap {
  const nodes = states.map((state, at) => ({
    nodeId: at + 1,
    name: `s${at + 1}`,
    address: "",
    ...{ campus: "", rack: "", host: `h${at + 1}`, state },
    disks: [2 * at + 1, 2 * at + 2].map((diskId) => ({
      diskId,
      weight: 1000,
      state: "up" as const,
    })),
  }));
  return { epoch: 1, nodes, policies: [POLICY], placementGroupCount: 16 };
}

const TABLE = survivesText(POLICY, mapOf(Array.from({ length: 8 }, () => "up")));

/** Every choice of nodes is tried; the largest number of which any choice leaves four shards. */
function bruteForce(map: ClusterMap, chunks: readonly (readonly number[])[]): number {
  const readable = readableDisks(map);
  const nodeIds = [...new Set(readable.values())];
  for (let count = 0; count <= nodeIds.length; count += 1) {
    const isSafe = choices(nodeIds, count).every((lost) =>
      chunks.every((diskIds) => {
        const left = diskIds.filter((diskId) => {
          const nodeId = readable.get(diskId);
          return nodeId !== undefined && !lost.includes(nodeId);
        });
        return left.length >= POLICY.k;
      }),
    );
    if (!isSafe) return Math.max(0, count - 1);
  }
  return nodeIds.length;
}

function choices(from: readonly number[], count: number): number[][] {
  if (count === 0) return [[]];
  return from.flatMap((first, at) =>
    choices(from.slice(at + 1), count - 1).map((rest) => [first, ...rest]),
  );
}

const STATES: readonly NodeState[] = ["up", "up", "up", "up", "draining", "down", "suspect"];
/** A disk of each of six different nodes out of eight. */
const WHOLE = fc
  .tuple(fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6, 7], { minLength: 6, maxLength: 6 }), fc.nat(63))
  .map(([nodes, bits]) => nodes.map((node, at) => 2 * node + 1 + ((bits >> at) & 1)));
/** Six shards anywhere, some of them owed. */
const ODD = fc.array(fc.integer({ min: 0, max: 16 }), { minLength: 6, maxLength: 6 });

function queueOf(chunks: readonly (readonly number[])[], isLookedUp: boolean): QueuedRepairs {
  const entries = chunks.map((diskIds, at) =>
    create(RepairEntrySchema, {
      manifestId: Uint8Array.of(at),
      chunkId: Uint8Array.of(at),
      owed: diskIds.filter((diskId) => diskId === 0).length,
      relaxed: new Set(diskIds.map((diskId) => Math.ceil(diskId / 2))).size < diskIds.length,
      parityShards: POLICY.m,
    }),
  );
  const places = entries.map((entry, at) => {
    const { owed } = entry;
    return [chunkName(entry), { dataShards: POLICY.k, diskIds: chunks[at] ?? [], owed }] as const;
  });
  return { entries, isCut: false, chunks: new Map(isLookedUp ? places : []) };
}

test("never more than a count over all chunks says", () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...STATES), { minLength: 8, maxLength: 8 }),
      fc.array(WHOLE, { minLength: 1, maxLength: 12 }),
      fc.array(ODD, { maxLength: 3 }),
      fc.boolean(),
      (states, whole, odd, isLookedUp) => {
        const map = mapOf(states);
        const { nodes } = toleranceNow({
          ...{ map, table: TABLE, counted: undefined, unsearched: new Set<number>() },
          queues: [queueOf(odd, isLookedUp)],
          isUnknown: false,
        });
        assert.ok(nodes <= bruteForce(map, [...whole, ...odd]), `${nodes} of ${states.join()}`);
      },
    ),
    { numRuns: 300 },
  );
});

test("exact for chunks that were looked up", () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...STATES), { minLength: 8, maxLength: 8 }),
      fc.oneof(WHOLE, ODD),
      (states, diskIds) => {
        const map = mapOf(states);
        const owed = diskIds.filter((diskId) => diskId === 0).length;
        const found = chunkTolerance(readableDisks(map), { dataShards: 4, diskIds, owed });
        assert.equal(Math.max(0, found.nodes), bruteForce(map, [diskIds]));
      },
    ),
    { numRuns: 300 },
  );
});

test("a shard that is bad on a disk that answers is lost all the same", () => {
  const map = mapOf(Array.from({ length: 6 }, () => "up"));
  const chunk = { dataShards: 4, diskIds: [1, 3, 5, 7, 9, 11] };
  const readable = readableDisks(map);
  assert.deepEqual(chunkTolerance(readable, { ...chunk, owed: 0 }), { nodes: 2, disks: 2 });
  assert.deepEqual(chunkTolerance(readable, { ...chunk, owed: 2 }), { nodes: 0, disks: 0 });
  assert.deepEqual(chunkTolerance(readable, { ...chunk, owed: 3 }), { nodes: -1, disks: -1 });
});

test("what is not known is not promised", () => {
  const map = mapOf(Array.from({ length: 8 }, () => "up"));
  const table = { nodes: 2, disks: 2 };
  const facts = { map, table, counted: undefined, unsearched: new Set<number>(), queues: [] };
  assert.deepEqual(toleranceNow({ ...facts, isUnknown: false }), table);
  assert.deepEqual(toleranceNow({ ...facts, isUnknown: true }), { nodes: 0, disks: 0 });
  const cut = [{ ...queueOf([], true), isCut: true }];
  assert.deepEqual(toleranceNow({ ...facts, queues: cut, isUnknown: false }).nodes, 0);
  const counted = { nodes: 1, disks: 1 };
  assert.deepEqual(toleranceNow({ ...facts, counted, isUnknown: false }), counted);
  const lost = new Set([3]);
  assert.deepEqual(toleranceNow({ ...facts, unsearched: lost, isUnknown: false }).nodes, 1);
});

test("entries of older releases count as 4+2", () => {
  const entry = create(RepairEntrySchema, { owed: 1 });
  assert.equal(repairMargin(entry), 1);
  assert.equal(repairMargin({ ...entry, parityShards: 4 }), 3);
});
