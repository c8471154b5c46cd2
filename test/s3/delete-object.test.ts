// DeleteObject and DeleteObjects, by their pages of the Amazon S3 API reference.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import { type Answer, Caller, pathOf, textAt, textsOf } from "./caller.ts";
import { makeBucket, startCluster, type TestCluster } from "./harness.ts";

let cluster: TestCluster;
let s3: Caller;
let bucket: string;

before(async () => {
  cluster = await startCluster();
  s3 = new Caller(cluster);
  bucket = await makeBucket(s3);
});
after(() => cluster.stop());

function md5(text: string, encoding: "hex" | "base64"): string {
  return createHash("md5").update(text).digest(encoding);
}

async function exists(key: string): Promise<boolean> {
  return (await s3.call({ method: "HEAD", target: pathOf(bucket, key) })).status === 200;
}

function deleteMany(
  body: string,
  headers?: readonly (readonly [string, string])[],
): Promise<Answer> {
  const all = headers ?? [["Content-MD5", md5(body, "base64")]];
  return s3.call({ method: "POST", target: `/${bucket}?delete`, body, headers: all });
}

test("deletes, and succeeds when there is nothing to delete", async () => {
  await s3.put(bucket, "one", "x");
  for (let round = 0; round < 2; round += 1) {
    const answer = await s3.call({ method: "DELETE", target: pathOf(bucket, "one") });
    assert.equal(answer.status, 204);
    assert.equal(answer.body.byteLength, 0);
    assert.equal(await exists("one"), false);
  }
  const none = await s3.call({ method: "DELETE", target: "/no-such-bucket-here/key" });
  assert.equal(none.code, "NoSuchBucket");
});

test("deletes under conditions only when they hold", async () => {
  const target = pathOf(bucket, "guarded");
  await s3.put(bucket, "guarded", "value");
  const tryDelete = (name: string, value: string): Promise<Answer> =>
    s3.call({ method: "DELETE", target, headers: [[name, value]] });
  assert.equal((await tryDelete("If-Match", '"other"')).code, "PreconditionFailed");
  assert.equal((await tryDelete("x-amz-if-match-size", "4")).status, 412);
  assert.equal(await exists("guarded"), true);
  assert.equal((await tryDelete("x-amz-if-match-size", "many")).code, "InvalidArgument");
  const ancient = "Wed, 01 Jan 1969 00:00:00 GMT";
  assert.equal((await tryDelete("x-amz-if-match-last-modified-time", ancient)).status, 412);
  const one = `<Object><Key>guarded</Key><LastModifiedTime>${ancient}</LastModifiedTime></Object>`;
  const many = (await deleteMany(`<Delete>${one}</Delete>`)).xml();
  assert.deepEqual(textsOf(many, "Error", "Code"), ["PreconditionFailed"]);
  assert.equal((await tryDelete("If-None-Match", "*")).code, "NotImplemented");
  assert.equal((await tryDelete("If-Match", `"${md5("value", "hex")}"`)).status, 204);
  assert.equal(await exists("guarded"), false);
  assert.equal((await tryDelete("If-Match", "*")).status, 404);
});

test("deletes many keys, each with its own outcome", async () => {
  await s3.put(bucket, "a&b", "x");
  await s3.put(bucket, "kept", "x");
  const long = "k".repeat(1025);
  const body =
    "<Delete><Object><Key>a&amp;b</Key></Object><Object><Key>missing</Key></Object>" +
    `<Object><Key>kept</Key><ETag>"other"</ETag></Object><Object><Key>${long}</Key></Object></Delete>`;
  const answer = await deleteMany(body);
  assert.equal(answer.status, 200, answer.text);
  const document = answer.xml();
  assert.deepEqual(textsOf(document, "Deleted", "Key"), ["a&b", "missing"]);
  assert.deepEqual(textsOf(document, "Error", "Code"), ["PreconditionFailed", "KeyTooLongError"]);
  assert.equal(await exists("a&b"), false);
  assert.equal(await exists("kept"), true);
});

test("keeps silent about successes when quiet", async () => {
  await s3.put(bucket, "quiet", "x");
  const body = "<Delete><Quiet>true</Quiet><Object><Key>quiet</Key></Object></Delete>";
  const document = (await deleteMany(body)).xml();
  assert.equal(document.name, "DeleteResult");
  assert.equal(document.children.length, 0);
  assert.equal(await exists("quiet"), false);
});

test("needs a digest of the list, and the right one", async () => {
  await s3.put(bucket, "digest", "x");
  const body = "<Delete><Object><Key>digest</Key></Object></Delete>";
  const none = await deleteMany(body, []);
  assert.equal(none.status, 400);
  assert.equal(none.code, "InvalidRequest");
  const wrong = await deleteMany(body, [["Content-MD5", md5("other", "base64")]]);
  assert.equal(wrong.code, "BadDigest");
  assert.equal(await exists("digest"), true);
  const sha256 = createHash("sha256").update(body).digest("base64");
  assert.equal((await deleteMany(body, [["x-amz-checksum-sha256", sha256]])).status, 200);
  assert.equal(await exists("digest"), false);
});

test("takes 1,000 keys and no more", async () => {
  const object = (index: number): string => `<Object><Key>key-${index}</Key></Object>`;
  const many = (count: number): string =>
    `<Delete>${Array.from({ length: count }, (_, index) => object(index)).join("")}</Delete>`;
  const full = (await deleteMany(many(1000))).xml();
  assert.equal(textsOf(full, "Deleted", "Key").length, 1000);
  for (const body of [many(1001), "<Delete></Delete>", "<Delete><Object/></Delete>", "text"]) {
    const refused = await deleteMany(body);
    assert.equal(refused.status, 400);
    assert.equal(refused.code, "MalformedXML", body.slice(0, 40));
  }
});

test("repeats what the client named", async () => {
  const body =
    "<Delete><Object><Key>v</Key><VersionId>null</VersionId></Object>" +
    "<Object><Key>v</Key><VersionId>bad</VersionId></Object></Delete>";
  const document = (await deleteMany(body)).xml();
  assert.equal(textAt(document, "Deleted", "VersionId"), "null");
  assert.equal(textAt(document, "Error", "VersionId"), "bad");
});
