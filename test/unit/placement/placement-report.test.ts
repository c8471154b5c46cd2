// What is said of placement policies is what their groups survive, with the names of what is away.
import assert from "node:assert/strict";
import { test } from "node:test";
import type {
  ClusterMap,
  NodeInfo,
  NodeState,
} from "../../../services/lib/placement/cluster-map.ts";
import { placementReport } from "../../../services/lib/placement/placement-report.ts";

function node(nodeId: number, campus: string, state: NodeState = "up"): NodeInfo {
  const place = { name: `n${nodeId}`, address: "", campus, rack: "", host: `h${nodeId}` };
  return { nodeId, ...place, state, disks: [{ diskId: nodeId, weight: 100, state: "up" }] };
}

const WIDE = { name: "wide", k: 4, m: 2, failureDomain: "campus", cellBytes: 1024 } as const;
const NARROW = { name: "narrow", k: 2, m: 1, failureDomain: "node", cellBytes: 1024 } as const;

function mapOf(nodes: readonly NodeInfo[]): ClusterMap {
  return { epoch: 3, nodes, policies: [WIDE, NARROW], placementGroupCount: 16 };
}

const SIX = ["a", "a", "b", "b", "c", "c"].map((campus, at) => node(at + 1, campus));

test("4+2 over three campuses survives one of them, or any two hosts", () => {
  const { policies, sentences, localRefusal, away } = placementReport(mapOf(SIX));
  const [wide, narrow] = policies;
  assert.deepEqual([wide?.campuses, wide?.hosts, wide?.disks], [1, 2, 2]);
  assert.deepEqual(wide?.over, { campuses: 3, racks: 3, hosts: 6, nodes: 6, disks: 6 });
  assert.equal(narrow?.hosts, 1);
  assert.equal(localRefusal, null);
  assert.deepEqual(away, []);
  assert.match(sentences[0] ?? "", /wide \(4\+2\) survives the loss of .*any 1 campus/);
  assert.match(sentences[1] ?? "", /3 campuses, 6 hosts, 6 nodes and 6 disks; any 2 hosts/);
  assert.match(sentences.at(-1) ?? "", /may have `acknowledgement local`/);
});

test("one policy by its name; an unknown one is refused with those there are", () => {
  const { policies } = placementReport(mapOf(SIX), "narrow");
  assert.deepEqual(
    policies.map(({ policy }) => policy),
    ["narrow"],
  );
  assert.throws(() => placementReport(mapOf(SIX), "none"), {
    code: "not-found",
    message: /there are wide, narrow/,
  });
});

test("a cluster too small for its policy is told so, and who is away", () => {
  const nodes = [node(1, "a"), node(2, "a", "down"), node(3, "a")];
  const { policies, sentences, away } = placementReport(mapOf(nodes));
  assert.equal(policies[0]?.relaxed, true);
  assert.deepEqual(away, ["n2"]);
  const text = sentences.join("\n");
  assert.match(text, /losing one campus, which the policy is meant to survive, may lose data/);
  assert.match(text, /away now.*n2/);
  assert.match(text, /no bucket can have `acknowledgement local`: all storage nodes stand in one/);
});
