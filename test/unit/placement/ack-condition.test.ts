// When a write may be acknowledged.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { AssertionFailure } from "../../../services/lib/base/assert.ts";
import { ackChecker, ackCondition } from "../../../services/lib/placement/ack-condition.ts";
import type { ClusterMap } from "../../../services/lib/placement/cluster-map.ts";
import { campusMap, evenMap, mapOf, policyOf } from "./clusters.ts";

test("on different nodes k+1 shards are enough and k are not", () => {
  const map = evenMap(6);
  const policy = policyOf(4, 2);
  assert.equal(ackCondition([], map, policy), false);
  assert.equal(ackCondition([100, 200, 300, 400], map, policy), false);
  assert.equal(ackCondition([100, 200, 300, 400, 500], map, policy), true);
  assert.equal(ackCondition([600, 200, 300, 400, 500, 100], map, policy), true);
});

test("agrees with the definition: k durable shards outside every node", () => {
  const map = evenMap(6, [1, 1]);
  const policy = policyOf(3, 3);
  const check = ackChecker(map, policy);
  const disks = map.nodes.flatMap((node) => node.disks.map((disk) => disk.diskId));
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...disks), { maxLength: 6 }), (durable) => {
      const expected = map.nodes.every(
        ({ nodeId }) => durable.filter((disk) => Math.floor(disk / 100) !== nodeId).length >= 3,
      );
      assert.equal(check(durable), expected);
    }),
  );
});

test("a campus policy wants k shards outside every campus", () => {
  const map = campusMap();
  const policy = policyOf(6, 3, "campus");
  const east = [100, 101, 200];
  const north = [300, 301, 400];
  const west = [500, 501, 600];
  assert.equal(ackCondition([...east, ...north, ...west], map, policy), true);
  assert.equal(ackCondition([...east, ...north, 500, 501], map, policy), false);
});

test("shards on one node beyond its part do not count twice", () => {
  const map = evenMap(3, [1, 1]);
  const policy = policyOf(4, 2);
  assert.equal(ackCondition([100, 101, 200, 201, 300], map, policy), false);
  assert.equal(ackCondition([100, 101, 200, 201, 300, 301], map, policy), true);
});

test("without parity every shard must be durable", () => {
  const map = evenMap(3);
  assert.equal(ackCondition([100, 200], map, policyOf(3, 0)), false);
  assert.equal(ackCondition([100, 200, 300], map, policyOf(3, 0)), true);
  assert.equal(ackCondition([100], mapOf([{ disks: [1] }]), policyOf(1, 0)), true);
});

/** The map with the nodes from `first` on in `state`. */
function fromNode(map: ClusterMap, first: number, state: "down" | "suspect" | "out"): ClusterMap {
  const nodes = map.nodes.map((node) => (node.nodeId >= first ? { ...node, state } : node));
  return { ...map, nodes };
}

test("with too few nodes up in the map, any one disk may be lost instead", () => {
  const policy = policyOf(4, 2);
  const map = fromNode(evenMap(6, [1, 1, 1]), 3, "down");
  assert.equal(ackCondition([100, 101, 102, 200], map, policy), false);
  assert.equal(ackCondition([100, 101, 102, 200, 201], map, policy), true);
  // Three on one disk: its loss leaves two.
  assert.equal(ackCondition([100, 100, 100, 200, 201], map, policy), false);
});

test("with too few disks up in the map, all shards must be durable", () => {
  const policy = policyOf(2, 1);
  const map = fromNode(evenMap(3), 3, "out");
  assert.equal(ackCondition([100, 200], map, policy), false);
  assert.equal(ackCondition([100, 100, 200], map, policy), true);
});

test("only the map lowers the bar: shards on two nodes are not enough while six are up", () => {
  const map = evenMap(6, [1, 1, 1]);
  assert.equal(ackCondition([100, 101, 102, 200, 201, 202], map, policyOf(4, 2)), false);
});

test("shards on disks the map does not know do not count", () => {
  const map = evenMap(6);
  assert.equal(ackCondition([100, 200, 300, 400, 9999], map, policyOf(4, 2)), false);
});

test("refuses more durable shards than a chunk has", () => {
  const map = evenMap(3);
  assert.throws(() => ackCondition([100, 100, 200, 300], map, policyOf(2, 1)), AssertionFailure);
});
