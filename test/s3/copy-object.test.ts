// CopyObject, by its page of the Amazon S3 API reference.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { type Answer, Caller, pathOf, textAt } from "./caller.ts";
import { makeBucket, startCluster, type TestCluster } from "./harness.ts";

const BODY = randomBytes(120_000);
const PAST = "Thu, 01 Dec 1994 16:00:00 GMT";

let cluster: TestCluster;
let s3: Caller;
let bucket: string;
let other: string;

before(async () => {
  cluster = await startCluster();
  s3 = new Caller(cluster);
  bucket = await makeBucket(s3);
  other = await makeBucket(s3);
  const headers = [
    ["Content-Type", "image/png"],
    ["x-amz-meta-a", "1"],
  ] as const;
  const target = pathOf(bucket, "source");
  assert.equal((await s3.call({ method: "PUT", target, headers, body: BODY })).status, 200);
  await s3.put(bucket, "small", "small");
});
after(() => cluster.stop());

function copy(
  source: string,
  key: string,
  headers: readonly (readonly [string, string])[] = [],
): Promise<Answer> {
  const all = [["x-amz-copy-source", source], ...headers] as const;
  return s3.call({ method: "PUT", target: pathOf(other, key), headers: all });
}

test("copies bytes and metadata", async () => {
  const answer = await copy(`/${bucket}/source`, "copy");
  assert.equal(answer.status, 200, answer.text);
  const get = await s3.get(other, "copy");
  assert.deepEqual(get.body, BODY);
  assert.equal(get.headers.get("content-type"), "image/png");
  assert.equal(get.headers.get("x-amz-meta-a"), "1");
  assert.equal(textAt(answer.xml(), "ETag"), get.headers.get("etag"));
});

test("reads the source in every form of the header", async () => {
  await s3.put(bucket, "a b+c%?ü", "odd");
  const encoded = `${bucket}/a%20b%2Bc%25%3F%C3%BC`;
  const versioned = `/${bucket}/small?versionId=null`;
  for (const [source, text] of [
    [`${bucket}/small`, "small"],
    [`/${bucket}/small`, "small"],
    [`/${bucket}%2Fsmall`, "small"],
    [versioned, "small"],
    [encoded, "odd"],
    [`/${encoded}`, "odd"],
  ] as const) {
    const answer = await copy(source, "form");
    assert.equal(answer.status, 200, `${source}: ${answer.text}`);
    assert.equal((await s3.get(other, "form")).text, text);
  }
});

test("refuses sources that are none", async () => {
  for (const source of ["", "/", bucket, `/${bucket}`, `/${bucket}/`, `${bucket}/a%zz`]) {
    const answer = await copy(source, "bad");
    assert.equal(answer.status, 400, source);
  }
  assert.equal((await copy(`${bucket}/missing`, "bad")).code, "NoSuchKey");
  assert.equal((await copy("no-such-bucket-here/key", "bad")).code, "NoSuchBucket");
  const version = await copy(`${bucket}/small?versionId=${"0".repeat(32)}`, "bad");
  assert.equal(version.code, "NoSuchVersion");
  assert.equal((await s3.get(other, "bad")).status, 404);
});

test("replaces metadata when told to", async () => {
  const headers = [
    ["x-amz-metadata-directive", "REPLACE"],
    ["Content-Type", "text/css"],
    ["x-amz-meta-b", "2"],
  ] as const;
  assert.equal((await copy(`${bucket}/source`, "replaced", headers)).status, 200);
  const get = await s3.get(other, "replaced");
  assert.equal(get.headers.get("content-type"), "text/css");
  assert.equal(get.headers.get("x-amz-meta-a"), undefined);
  assert.equal(get.headers.get("x-amz-meta-b"), "2");
  const unknown = await copy(`${bucket}/source`, "x", [["x-amz-metadata-directive", "MERGE"]]);
  assert.equal(unknown.code, "InvalidArgument");
});

test("refuses to copy an object onto itself unless something changes", async () => {
  await copy(`${bucket}/source`, "self");
  const source = `${other}/self`;
  const refused = await copy(source, "self");
  assert.equal(refused.status, 400);
  assert.equal(refused.code, "InvalidRequest");
  const replace = [
    ["x-amz-metadata-directive", "REPLACE"],
    ["x-amz-meta-new", "yes"],
  ] as const;
  assert.equal((await copy(source, "self", replace)).status, 200);
  const get = await s3.get(other, "self");
  assert.equal(get.headers.get("x-amz-meta-new"), "yes");
  assert.deepEqual(get.body, BODY);
  assert.equal((await copy(source, "self", [["x-amz-storage-class", "STANDARD_IA"]])).status, 200);
});

test("evaluates conditions on the source", async () => {
  const etag = (await s3.get(bucket, "small")).headers.get("etag") ?? "";
  for (const [name, value, status] of [
    ["x-amz-copy-source-if-match", etag, 200],
    ["x-amz-copy-source-if-match", '"other"', 412],
    ["x-amz-copy-source-if-none-match", etag, 412],
    ["x-amz-copy-source-if-none-match", '"other"', 200],
    ["x-amz-copy-source-if-unmodified-since", PAST, 412],
    ["x-amz-copy-source-if-modified-since", PAST, 200],
  ] as const) {
    const answer = await copy(`${bucket}/small`, "conditional", [[name, value]]);
    assert.equal(answer.status, status, `${name}: ${value}`);
    if (status === 412) assert.equal(answer.code, "PreconditionFailed");
  }
});

test("evaluates conditions on the destination", async () => {
  const once = [["If-None-Match", "*"]] as const;
  assert.equal((await copy(`${bucket}/small`, "once", once)).status, 200);
  assert.equal((await copy(`${bucket}/source`, "once", once)).status, 412);
  assert.equal((await s3.get(other, "once")).text, "small");
});

test("computes the checksum that is asked for", async () => {
  const answer = await copy(`${bucket}/small`, "summed", [["x-amz-checksum-algorithm", "SHA256"]]);
  assert.equal(answer.status, 200);
  assert.ok(textAt(answer.xml(), "ChecksumSHA256"));
  const headers = [["x-amz-checksum-mode", "ENABLED"]] as const;
  const get = await s3.get(other, "summed", headers);
  assert.equal(get.headers.get("x-amz-checksum-sha256"), textAt(answer.xml(), "ChecksumSHA256"));
});
