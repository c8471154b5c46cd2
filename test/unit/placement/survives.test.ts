// What a policy survives, as an operator reads it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isStoreError } from "../../../services/lib/base/errors.ts";
import { survivesText } from "../../../services/lib/placement/survives.ts";
import { campusMap, evenMap, mapOf, policyOf } from "./clusters.ts";

test("4+2 on six nodes of one campus", () => {
  const survival = survivesText(policyOf(4, 2), evenMap(6));
  assert.deepEqual(survival, {
    policy: "4+2",
    disks: 2,
    nodes: 2,
    hosts: 2,
    racks: 0,
    campuses: 0,
    relaxed: false,
    sentence: "policy 4+2 (4+2) survives the loss of any 2 disks, or any 2 nodes",
  });
});

test("6+3 over three campuses survives one of them", () => {
  const survival = survivesText(policyOf(6, 3, "campus"), campusMap());
  assert.equal(survival.campuses, 1);
  assert.equal(survival.disks, 3);
  assert.equal(survival.nodes, 1);
  assert.match(survival.sentence, /any 3 disks, or any 1 node, or any 1 campus$/);
});

test("a node policy on three campuses says what it does for campuses", () => {
  const survival = survivesText(policyOf(2, 1), campusMap());
  assert.equal(survival.nodes, 1);
  assert.match(survival.sentence, /no campus$/);
});

test("1+0 survives nothing and says so, without calling it relaxed", () => {
  const survival = survivesText(policyOf(1, 0), mapOf([{ disks: [1] }]));
  assert.equal(survival.disks, 0);
  assert.equal(survival.relaxed, false);
  assert.match(survival.sentence, /no disk, or no node$/);
});

test("a policy that the cluster is too small for is described with a warning", () => {
  const survival = survivesText(policyOf(4, 2), evenMap(2, [1, 1, 1]));
  assert.equal(survival.relaxed, true);
  assert.equal(survival.nodes, 0);
  assert.equal(survival.disks, 2);
  assert.match(survival.sentence, /losing one node, which the policy is meant to survive, may/);
});

test("refuses a cluster without disks", () => {
  assert.throws(
    () => survivesText(policyOf(4, 2), mapOf([])),
    (error) => isStoreError(error, "invalid"),
  );
});
