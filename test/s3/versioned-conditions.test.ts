// Conditions of writes and deletes where there are versions: they are about the current one, a
// delete marker counts as no object, and of many that compare one swaps. Actions: PutObject,
// CopyObject, CompleteMultipartUpload, DeleteObject.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Answer, Caller, pathOf, textAt } from "./caller.ts";
import { makeVersionedBucket, startCluster, type TestCluster } from "./harness.ts";

let cluster: TestCluster;
let s3: Caller;
let bucket: string;

type Headers = readonly (readonly [string, string])[];

before(async () => {
  cluster = await startCluster();
  s3 = new Caller(cluster);
  bucket = await makeVersionedBucket(s3);
});
after(() => cluster.stop());

function put(key: string, body: string, headers: Headers = []): Promise<Answer> {
  return s3.call({ method: "PUT", target: pathOf(bucket, key), body, headers });
}

function remove(key: string, headers: Headers = []): Promise<Answer> {
  return s3.call({ method: "DELETE", target: pathOf(bucket, key), headers });
}

test("a delete marker is no object to If-None-Match and If-Match", async () => {
  const etag = (await put("marked", "one")).headers.get("etag") ?? "";
  assert.equal((await put("marked", "x", [["If-None-Match", "*"]])).code, "PreconditionFailed");
  await remove("marked");
  assert.equal((await put("marked", "x", [["If-Match", etag]])).code, "NoSuchKey");
  assert.equal((await put("marked", "two", [["If-None-Match", "*"]])).status, 200);
  assert.equal((await s3.get(bucket, "marked")).text, "two");
});

test("If-Match is about the current version, not about any", async () => {
  const first = (await put("swapped", "one")).headers.get("etag") ?? "";
  const second = (await put("swapped", "two")).headers.get("etag") ?? "";
  assert.equal((await put("swapped", "x", [["If-Match", first]])).code, "PreconditionFailed");
  assert.equal((await put("swapped", "three", [["If-Match", second]])).status, 200);
});

test("of many that swap one version, one does", async () => {
  const etag = (await put("raced", "start")).headers.get("etag") ?? "";
  const answers = await Promise.all(
    Array.from({ length: 8 }, (_, index) => put("raced", `${index}`, [["If-Match", etag]])),
  );
  const won = answers.filter(({ status }) => status === 200);
  assert.equal(won.length, 1);
  assert.ok(answers.every(({ status }) => status === 200 || status === 412));
});

test("deletes compare tag, size and time of the current version", async () => {
  const put1 = await put("deleted", "content");
  const etag = put1.headers.get("etag") ?? "";
  const head = await s3.call({ method: "HEAD", target: pathOf(bucket, "deleted") });
  const modified = head.headers.get("last-modified") ?? "";
  const refused: Headers = [
    ["If-Match", '"0"'],
    ["x-amz-if-match-size", "8"],
    ["x-amz-if-match-last-modified-time", "Wed, 21 Oct 2015 07:28:00 GMT"],
  ];
  for (const header of refused) {
    assert.equal((await remove("deleted", [header])).code, "PreconditionFailed", header[0]);
  }
  const bad = await remove("deleted", [["x-amz-if-match-size", "many"]]);
  assert.equal(bad.code, "InvalidArgument");
  const done = await remove("deleted", [
    ["If-Match", etag],
    ["x-amz-if-match-size", "7"],
    ["x-amz-if-match-last-modified-time", modified],
  ]);
  assert.equal(done.status, 204, done.text);
  assert.equal(done.headers.get("x-amz-delete-marker"), "true");
});

test("copies and completions swap too", async () => {
  const etag = (await put("target", "old")).headers.get("etag") ?? "";
  await put("source", "new");
  const source = ["x-amz-copy-source", `/${bucket}/source`] as const;
  const copy = (headers: Headers): Promise<Answer> =>
    s3.call({ method: "PUT", target: pathOf(bucket, "target"), headers: [source, ...headers] });
  assert.equal((await copy([["If-Match", '"0"']])).code, "PreconditionFailed");
  assert.equal((await copy([["If-None-Match", "*"]])).code, "PreconditionFailed");
  assert.equal((await copy([["If-Match", etag]])).status, 200);
  const target = pathOf(bucket, "target");
  const created = await s3.call({ method: "POST", target: `${target}?uploads` });
  const id = textAt(created.xml(), "UploadId");
  const query = `?partNumber=1&uploadId=${id}`;
  const part = await s3.call({ method: "PUT", target: target + query, body: "part" });
  const body =
    "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>" +
    `<ETag>${part.headers.get("etag")}</ETag></Part></CompleteMultipartUpload>`;
  const complete = (headers: Headers): Promise<Answer> =>
    s3.call({ method: "POST", target: `${target}?uploadId=${id}`, body, headers });
  assert.equal((await complete([["If-Match", etag]])).code, "PreconditionFailed");
  const current = (await s3.get(bucket, "target")).headers.get("etag") ?? "";
  const done = await complete([["If-Match", current]]);
  assert.equal(done.status, 200, done.text);
  assert.ok(done.headers.has("x-amz-version-id"));
  const again = await complete([["If-Match", current]]);
  assert.equal(again.headers.get("x-amz-version-id"), done.headers.get("x-amz-version-id"));
});
