// The policy of one campus places both copies on different nodes there and nowhere else; where that
// cannot be in every campus, the reason is said.
import assert from "node:assert/strict";
import { test } from "node:test";
import { present } from "../../../services/lib/base/assert.ts";
import { ackCondition } from "../../../services/lib/placement/ack-condition.ts";
import { localRefusal, policyNamed } from "../../../services/lib/placement/campus-policy.ts";
import type {
  ClusterMap,
  NodeInfo,
  NodeState,
} from "../../../services/lib/placement/cluster-map.ts";
import { computePlacementTable } from "../../../services/lib/placement/placement-table.ts";

function node(nodeId: number, campus: string, state: NodeState = "up"): NodeInfo {
  const place = { name: `n${nodeId}`, address: `n${nodeId}:1`, campus, rack: "", host: "" };
  return { nodeId, ...place, state, disks: [{ diskId: nodeId * 10, weight: 100, state: "up" }] };
}

function mapOf(...nodes: NodeInfo[]): ClusterMap {
  const wide = { name: "wide", k: 4, m: 2, failureDomain: "campus", cellBytes: 1024 } as const;
  return { epoch: 1, nodes, policies: [wide], placementGroupCount: 16 };
}

const SIX = mapOf(...["a", "a", "b", "b", "c", "c"].map((campus, at) => node(at + 1, campus)));

test("groups of a campus lie on two nodes of that campus", () => {
  const policy = present(policyNamed(SIX, "@b"), "policy");
  const { groups, relaxed } = computePlacementTable(SIX, policy);
  assert.equal(relaxed, false);
  for (const disks of groups) assert.deepEqual([...disks].sort(), [30, 40]);
});

test("acknowledged with both copies in the campus; one, or copies elsewhere, are not enough", () => {
  const policy = present(policyNamed(SIX, "@a"), "policy");
  assert.equal(ackCondition([10, 20], SIX, policy), true);
  assert.equal(ackCondition([10], SIX, policy), false);
  assert.equal(ackCondition([10, 30], SIX, policy), false);
});

test("what the map names goes first, and there are no others", () => {
  assert.equal(policyNamed(SIX, "wide")?.k, 4);
  assert.equal(policyNamed(SIX, "narrow"), undefined);
  const odd = { name: "@a", k: 2, m: 1, failureDomain: "node", cellBytes: 1024 } as const;
  assert.equal(policyNamed({ ...SIX, policies: [odd] }, "@a")?.campus, undefined);
});

test("a campus may acknowledge alone where each has two nodes, and there is another", () => {
  assert.equal(localRefusal(SIX), undefined);
  assert.match(localRefusal(mapOf(node(1, "a"), node(2, "a"))) ?? "", /one campus/);
  const short = mapOf(node(1, "a"), node(2, "a"), node(3, "b"), node(4, "b", "out"));
  assert.match(localRefusal(short) ?? "", /not so in b/);
});
