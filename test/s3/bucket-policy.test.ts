// Bucket policies as documents. Actions: PutBucketPolicy, GetBucketPolicy, DeleteBucketPolicy,
// GetBucketPolicyStatus.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Answer, Caller, textAt } from "./caller.ts";
import { makeBucket, startCluster, type TestCluster } from "./harness.ts";

let cluster: TestCluster;
let s3: Caller;

before(async () => {
  cluster = await startCluster();
  s3 = new Caller(cluster);
});
after(() => cluster.stop());

function policyOf(bucket: string, changes: Readonly<Record<string, unknown>> = {}): string {
  const statement = {
    Effect: "Allow",
    Principal: { AWS: "arn:aws:iam::123456789012:user/reader" },
    Action: "s3:GetObject",
    Resource: `arn:aws:s3:::${bucket}/*`,
    ...changes,
  };
  return JSON.stringify({ Version: "2012-10-17", Statement: [statement] }, null, 2);
}

async function put(bucket: string, body: string): Promise<Answer> {
  return s3.call({ method: "PUT", target: `/${bucket}?policy`, body });
}

async function unblock(bucket: string): Promise<void> {
  await s3.call({ method: "DELETE", target: `/${bucket}?publicAccessBlock` });
}

test("a policy is put, given back byte for byte, and deleted", async () => {
  const bucket = await makeBucket(s3);
  const target = `/${bucket}?policy`;
  assert.equal((await s3.call({ target })).code, "NoSuchBucketPolicy");
  const policy = policyOf(bucket);
  const answer = await put(bucket, policy);
  assert.equal(answer.status, 204, answer.text);
  const got = await s3.call({ target });
  assert.equal(got.text, policy);
  assert.equal(got.headers.get("content-type"), "application/json");
  assert.equal((await s3.call({ method: "DELETE", target })).status, 204);
  assert.equal((await s3.call({ target })).code, "NoSuchBucketPolicy");
  assert.equal((await s3.call({ method: "DELETE", target })).status, 204);
});

test("refuses what is no policy of this bucket, and keeps the one that is there", async () => {
  const bucket = await makeBucket(s3);
  const kept = policyOf(bucket);
  await put(bucket, kept);
  const refused: readonly (readonly [string, string])[] = [
    ["not json", "MalformedPolicy"],
    ["", "MalformedPolicy"],
    ["{}", "MalformedPolicy"],
    [policyOf(bucket, { Effect: "Perhaps" }), "MalformedPolicy"],
    [policyOf(bucket, { Resource: "arn:aws:s3:::another-bucket/*" }), "MalformedPolicy"],
    [policyOf(bucket, { Action: "ec2:RunInstances" }), "MalformedPolicy"],
    [policyOf(bucket, { Sid: "x".repeat(20 * 1024) }), "PolicyTooLarge"],
  ];
  for (const [body, code] of refused) {
    assert.equal((await put(bucket, body)).code, code, body.slice(0, 60));
  }
  assert.equal((await s3.call({ target: `/${bucket}?policy` })).text, kept);
});

test("public policies stop at the public access block", async () => {
  const bucket = await makeBucket(s3);
  const open = policyOf(bucket, { Principal: "*" });
  assert.equal((await put(bucket, open)).code, "AccessDenied");
  assert.equal((await put(bucket, policyOf(bucket))).status, 204);
  await unblock(bucket);
  assert.equal((await put(bucket, open)).status, 204);
});

test("GetBucketPolicyStatus tells public policies from others", async () => {
  const bucket = await makeBucket(s3);
  await unblock(bucket);
  const target = `/${bucket}?policyStatus`;
  assert.equal((await s3.call({ target })).code, "NoSuchBucketPolicy");
  const narrow = { StringEquals: { "aws:SourceAccount": "123456789012" } };
  for (const [changes, isPublic] of [
    [{}, "FALSE"],
    [{ Principal: "*" }, "TRUE"],
    [{ Principal: { AWS: "*" } }, "TRUE"],
    [{ Principal: "*", Condition: narrow }, "FALSE"],
    [{ Principal: "*", Effect: "Deny" }, "FALSE"],
  ] as const) {
    assert.equal((await put(bucket, policyOf(bucket, changes))).status, 204);
    assert.equal(textAt((await s3.call({ target })).xml(), "IsPublic"), isPublic);
  }
});
