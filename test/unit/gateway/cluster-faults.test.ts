// The gateway when the rest of the cluster misbehaves: sealed buckets, moved ranges, lost
// manifests, services that are away. Doubles play the faults; the HTTP is real.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, test } from "node:test";
import { utf8 } from "../../../services/lib/base/bytes.ts";
import { type ErrorCode, StoreError } from "../../../services/lib/base/errors.ts";
import { Caller, pathOf, textAt, textsOf } from "../../s3/caller.ts";
import { makeBucket } from "../../s3/harness.ts";
import { ADMIN_USER, type MemoryGateway, ROOT_USER, startMemoryGateway } from "./memory-gateway.ts";
import { splitBucket } from "./memory-metadata.ts";

let gateway: MemoryGateway;
let s3: Caller;
let bucket: string;

function callerOf({ accessKeyId, secret }: { accessKeyId: string; secret: string }): Caller {
  const endpoint = `http://${gateway.running.address}`;
  return new Caller({ endpoint, accessKeyId, secretAccessKey: secret, region: "us-east-1" });
}

beforeEach(async () => {
  gateway = await startMemoryGateway();
  s3 = callerOf(ROOT_USER);
  bucket = await makeBucket(s3);
});
afterEach(() => gateway.stop());

function bucketId(): number {
  return gateway.metadata.buckets.get(bucket)?.bucketId ?? 0;
}

for (const [code, status, s3Code] of [
  ["unavailable", 503, "ServiceUnavailable"],
  ["timeout", 503, "ServiceUnavailable"],
  ["exhausted", 503, "SlowDown"],
  ["no-space", 507, "InsufficientStorage"],
  ["conflict", 409, "OperationAborted"],
  ["internal", 500, "InternalError"],
] as const satisfies readonly (readonly [ErrorCode, number, string])[]) {
  test(`metadata that fails with ${code} is answered ${s3Code}`, async () => {
    gateway.metadata.fault = () => {
      throw new StoreError(code, "host 10.1.2.3 is on fire");
    };
    const answer = await s3.put(bucket, "key", "x");
    assert.equal(answer.status, status);
    assert.equal(answer.code, s3Code);
    assert.ok(!answer.text.includes("10.1.2.3"));
  });
}

test("a full cluster is 507 before anything is committed", async () => {
  gateway.bodies.writeFault = () => {
    throw new StoreError("no-space", "every disk is full");
  };
  const answer = await s3.put(bucket, "key", randomBytes(100_000));
  assert.equal(answer.status, 507);
  assert.equal(answer.code, "InsufficientStorage");
  assert.equal((await s3.get(bucket, "key")).code, "NoSuchKey");
});

test("finishes the removal of a bucket that was sealed and left", async () => {
  gateway.metadata.group(2).sealed.add(bucketId());
  const answer = await s3.put(bucket, "key", "x");
  assert.equal(answer.status, 404);
  assert.equal(answer.code, "NoSuchBucket");
  assert.equal(gateway.metadata.buckets.has(bucket), false);
  assert.equal((await s3.call({ method: "PUT", target: `/${bucket}` })).status, 200);
  assert.equal((await s3.put(bucket, "key", "x")).status, 200);
});

for (const call of [
  { target: "?list-type=2" },
  { target: "/key" },
  { method: "DELETE", target: "/key" },
  { method: "POST", target: "/key?uploads" },
]) {
  test(`${call.method ?? "GET"} ${call.target} notices a sealed bucket`, async () => {
    gateway.metadata.group(2).sealed.add(bucketId());
    const answer = await s3.call({ ...call, target: `/${bucket}${call.target}` });
    assert.equal(answer.code, "NoSuchBucket");
  });
}

test("goes on in the new bucket when the name was taken again", async () => {
  await s3.put(bucket, "key", "old");
  const old = gateway.metadata.buckets.get(bucket);
  gateway.metadata.group(2).sealed.add(bucketId());
  gateway.metadata.buckets.delete(bucket);
  await gateway.metadata.execute(1, {
    case: "createBucket",
    value: { name: bucket, owner: ROOT_USER.userId, region: "us-east-1", policy: "standard" },
  });
  assert.notEqual(gateway.metadata.buckets.get(bucket)?.bucketId, old?.bucketId);
  assert.equal((await s3.get(bucket, "key")).code, "NoSuchKey");
  assert.equal((await s3.put(bucket, "key", "new")).status, 200);
  assert.equal((await s3.get(bucket, "key")).text, "new");
});

test("a body that was streamed into a bucket of the past is asked for again", async () => {
  await s3.put(bucket, "warm", "the cache");
  gateway.metadata.group(2).sealed.add(bucketId());
  gateway.metadata.buckets.delete(bucket);
  await gateway.metadata.execute(1, {
    case: "createBucket",
    value: { name: bucket, owner: ROOT_USER.userId, region: "us-east-1", policy: "standard" },
  });
  const answer = await s3.put(bucket, "key", randomBytes(100_000));
  assert.equal(answer.status, 503);
  assert.equal((await s3.put(bucket, "key", randomBytes(100_000))).status, 200);
});

test("never takes a bucket out of the directory while a range holds an object", async () => {
  splitBucket(gateway.metadata, bucket, { key: utf8("m"), groupId: 3 });
  const caller = callerOf(ADMIN_USER);
  await s3.call({ method: "HEAD", target: `/${bucket}` });
  assert.equal((await caller.put(bucket, "z", "in the second range")).status, 200);
  const refused = await s3.call({ method: "DELETE", target: `/${bucket}` });
  assert.equal(refused.code, "BucketNotEmpty");
  assert.equal(gateway.metadata.group(2).sealed.size, 0);
  // Even half sealed by a crash it stays.
  gateway.metadata.group(2).sealed.add(bucketId());
  const half = await s3.put(bucket, "a", "x");
  assert.ok(half.status >= 400);
  assert.equal(gateway.metadata.buckets.has(bucket), true);
  assert.equal((await s3.get(bucket, "z")).text, "in the second range");
});

test("follows a range that moved", async () => {
  await s3.put(bucket, "warm", "the cache");
  splitBucket(gateway.metadata, bucket, { key: utf8("m"), groupId: 3 });
  gateway.metadata.fault = (call, groupId) => {
    if (call === "putObject" && groupId === 2) throw new StoreError("stale-epoch", "moved");
  };
  assert.equal((await s3.put(bucket, "zebra", "x")).status, 200);
  assert.equal((await s3.put(bucket, "aardvark", "x")).status, 503);
});

test("lists over several ranges in order, page by page", async () => {
  splitBucket(gateway.metadata, bucket, { key: utf8("m"), groupId: 3 });
  await s3.call({ method: "HEAD", target: `/${bucket}` });
  const keys = ["a", "b", "l/1", "l/2", "m", "n/1", "n/2", "z"];
  for (const key of keys) assert.equal((await s3.put(bucket, key, key)).status, 200);
  assert.ok(gateway.metadata.calls.length > 0);
  for (const size of [1, 2, 3, 4, 8, 9]) {
    const found: string[] = [];
    let token: string | undefined;
    do {
      const more = token === undefined ? "" : `&continuation-token=${token}`;
      const target = `/${bucket}?list-type=2&max-keys=${size}${more}`;
      const page = (await s3.call({ target })).xml();
      found.push(...textsOf(page, "Contents", "Key"));
      token = textAt(page, "NextContinuationToken");
    } while (token !== undefined);
    assert.deepEqual(found, keys, `pages of ${size}`);
  }
  const grouped = (await s3.call({ target: `/${bucket}?list-type=2&delimiter=/` })).xml();
  assert.deepEqual(textsOf(grouped, "CommonPrefixes", "Prefix"), ["l/", "n/"]);
  const body =
    "<Delete><Object><Key>z</Key></Object><Object><Key>a</Key></Object><Object><Key>n/1</Key></Object></Delete>";
  const sha256 = await crypto.subtle.digest("SHA-256", Buffer.from(body));
  const headers = [["x-amz-checksum-sha256", Buffer.from(sha256).toString("base64")]] as const;
  const deleted = await s3.call({ method: "POST", target: `/${bucket}?delete`, body, headers });
  assert.deepEqual(textsOf(deleted.xml(), "Deleted", "Key"), ["z", "a", "n/1"]);
});

for (const [code, status] of [
  ["corrupt", 500],
  ["unavailable", 503],
] as const) {
  test(`a body that is ${code} from its first byte on is answered ${status}`, async () => {
    await s3.put(bucket, "key", randomBytes(100_000));
    gateway.bodies.readFault = () => {
      throw new StoreError(code, "too few shards");
    };
    const answer = await s3.get(bucket, "key");
    assert.equal(answer.status, status);
    assert.equal(answer.code, code === "corrupt" ? "InternalError" : "ServiceUnavailable");
  });
}

test("an overwrite between two queries of a read is noticed before any byte", async () => {
  await s3.put(bucket, "key", randomBytes(100_000));
  const group = gateway.metadata.group(2);
  const answer = await gateway.metadata.query<"getObject">(2, {
    case: "getObject",
    value: { bucketId: bucketId(), key: utf8("key"), withBody: true },
  });
  for (const { manifestId } of answer.manifests) group.dropManifest(manifestId);
  const read = await s3.get(bucket, "key");
  assert.equal(read.status, 503);
  assert.equal((await s3.call({ method: "HEAD", target: pathOf(bucket, "key") })).status, 200);
});

test("an administrator may use what others own, and lists only what is its own", async () => {
  const admin = callerOf(ADMIN_USER);
  await s3.put(bucket, "key", "x");
  assert.equal((await admin.get(bucket, "key")).text, "x");
  assert.ok(!(await admin.call({ target: "/" })).text.includes(bucket));
});
