// What needs no policy, and when the object has to be looked at before an answer is final.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { needsObject } from "../../../services/lib/iam/evaluate.ts";
import type { AuthorizationRequest } from "../../../services/lib/iam/model.ts";
import { S3_ACTIONS, traitsOf } from "../../../services/lib/iam/permissions.ts";
import {
  ADMINISTRATOR,
  ALL,
  ANONYMOUS,
  BUCKET_ARN,
  bucket,
  bucketPolicy,
  everybody,
  named,
  OWNER,
  request,
  ruleOf,
  user,
  variable,
  withPolicy,
} from "./setting.ts";

describe("what users do for themselves", () => {
  const bob = user("bob_wayne");
  const self = { bucket: undefined, resource: bob.arn };
  const robot = user("bob_wayne", { arn: "arn:aws:iam:::user/bob_wayne.robot" });

  test("make and list buckets, handle their own keys and tokens", () => {
    assert.equal(ruleOf({ action: "s3:CreateBucket", bucket: undefined }), "own-affairs");
    const list = { action: "s3:ListAllMyBuckets", bucket: undefined, resource: "*" };
    assert.equal(ruleOf(list), "own-affairs");
    assert.equal(ruleOf({ ...list, principal: ANONYMOUS }), "-no-rule-allows");
    for (const action of ["iam:CreateAccessKey", "iam:GetUser", "dolium:CreateToken"]) {
      assert.equal(ruleOf({ ...self, action }), "own-affairs", action);
      const other = { ...self, resource: "arn:aws:iam:::user/carl_msu" };
      assert.equal(ruleOf({ ...other, action }), "-no-rule-allows");
      assert.equal(ruleOf({ ...self, action, principal: ANONYMOUS }), "-no-rule-allows");
    }
  });

  test("listing buckets is on `*` and on all buckets alike", () => {
    const list = { action: "s3:ListAllMyBuckets", bucket: undefined, resource: "*" };
    for (const [Resource, expected] of [
      ["*", "own-affairs"],
      ["arn:aws:s3:::*", "own-affairs"],
      ["arn:aws:s3:::data", "-outside-bound"],
    ] as const) {
      const bound = named("scope", { Effect: "Allow", Action: "s3:ListAllMyBuckets", Resource });
      const principal = user("bob_wayne", { bounds: [bound] });
      assert.equal(ruleOf({ ...list, principal }), expected, Resource);
    }
  });

  test("CVE-2024-24747: a service account makes no keys for the user it acts for", () => {
    for (const resource of [bob.arn, robot.arn]) {
      const change = { principal: robot, bucket: undefined, resource };
      assert.equal(ruleOf({ ...change, action: "iam:CreateAccessKey" }), "-no-rule-allows");
      assert.equal(ruleOf({ ...change, action: "dolium:CreateToken" }), "-no-rule-allows");
    }
  });

  test("CVE-2021-43858, CVE-2022-24842: nobody gives himself more", () => {
    for (const name of [
      ...["PutUserPolicy", "AttachUserPolicy", "AddUserToGroup", "UpdateUser", "DeleteUser"],
      ...["CreateUser", "PutUserPermissionsBoundary", "DeleteUserPermissionsBoundary"],
    ]) {
      assert.equal(ruleOf({ ...self, action: `iam:${name}` }), "-no-rule-allows", name);
    }
  });

  test("denials and bounds hold there as well", () => {
    const bound = named("scope", { Effect: "Allow", Action: "s3:*", Resource: "*" });
    const principal = user("bob_wayne", { bounds: [bound] });
    assert.equal(ruleOf({ ...self, principal, action: "iam:CreateAccessKey" }), "-outside-bound");
    assert.equal(ruleOf({ ...self, principal, action: "s3:CreateBucket" }), "own-affairs");
    const deny = named("p", { Effect: "Deny", Action: "s3:CreateBucket", Resource: "*" });
    const denied = user("bob_wayne", { policies: [deny] });
    assert.equal(ruleOf({ principal: denied, action: "s3:CreateBucket" }), "-explicit-deny");
  });

  test("everybody signed in may ask who he is", () => {
    const deny = named("p", { Effect: "Deny", Action: "*", Resource: "*" });
    const change = { action: "sts:GetCallerIdentity", resource: "*", bucket: undefined };
    assert.equal(ruleOf({ ...change, principal: user("x", { policies: [deny] }) }), "own-affairs");
    assert.equal(ruleOf({ ...change, principal: ANONYMOUS }), "-no-rule-allows");
  });
});

describe("whether the object is needed", () => {
  const needs = (change: Partial<AuthorizationRequest>) => needsObject(request(change));
  const tag = { StringEquals: { "s3:ExistingObjectTag/team": "red" } };

  test("not with lists off and no word of tags", () => {
    for (const action of S3_ACTIONS) assert.equal(needs({ action }), false, action);
  });

  test("where lists are on and could turn it", () => {
    const facts = bucket({ ownership: "ObjectWriter" });
    assert.equal(needs({ bucket: facts }), true);
    assert.equal(needs({ bucket: facts, principal: OWNER }), true);
    assert.equal(needs({ bucket: facts, principal: ADMINISTRATOR }), false);
    assert.equal(needs({ bucket: facts, action: "s3:PutObject" }), false);
    assert.equal(needs({ bucket: facts, object: { owner: "alice_umich", grants: [] } }), false);
    const deny = everybody({ Effect: "Deny", Principal: { AWS: "bob_wayne" } });
    assert.equal(needs({ bucket: { ...facts, policy: bucketPolicy(deny) } }), false);
  });

  test("where a condition on its tags could turn it", () => {
    const allowing = withPolicy(everybody({ Condition: tag }));
    assert.equal(needs({ bucket: allowing }), true);
    assert.equal(needs({ bucket: allowing, principal: OWNER }), false);
    assert.equal(needs({ bucket: allowing, action: "s3:PutObject" }), false);
    const denying = withPolicy(everybody({ Effect: "Deny", Condition: tag }));
    assert.equal(needs({ bucket: denying, principal: OWNER }), true);
    assert.equal(needs({ bucket: denying }), false);
    const inResource = withPolicy(
      everybody({ Resource: `${BUCKET_ARN}/${variable("s3:ExistingObjectTag/team")}` }),
    );
    assert.equal(needs({ bucket: inResource }), true);
    const bound = named("scope", { ...ALL, Condition: tag });
    assert.equal(needs({ principal: user("alice_umich", { bounds: [bound] }) }), true);
    const context = new Map([["s3:existingobjecttag/team", ["red"]]]);
    const object = { owner: "alice_umich", grants: [] };
    assert.equal(ruleOf({ bucket: allowing, object, context }), "policy-allow");
    assert.equal(ruleOf({ bucket: allowing, object }), "-no-rule-allows");
  });
});

test("every action of S3 has a level and a kind of access", () => {
  assert.ok(S3_ACTIONS.length > 80, String(S3_ACTIONS.length));
  for (const action of S3_ACTIONS) {
    assert.match(action, /^s3:[A-Z][A-Za-z]+$/);
    const traits = traitsOf(action);
    const ofObject = /Object|Multipart|Retention|Replicate(?:Tags|Delete)/.test(action);
    const isBuckets = /Bucket|Configuration/.test(action) && !/OwnerOverride/.test(action);
    assert.equal(traits?.level === "object", ofObject && !isBuckets, action);
  }
});
