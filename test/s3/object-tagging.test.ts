// Tags of objects: with a write, by themselves, on copies and uploads, and the limits on them.
// Actions: PutObjectTagging, GetObjectTagging, DeleteObjectTagging, PutObject, CopyObject,
// CreateMultipartUpload.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Answer, Caller, pathOf, textAt } from "./caller.ts";
import { makeBucket, makeVersionedBucket, startCluster, type TestCluster } from "./harness.ts";

let cluster: TestCluster;
let s3: Caller;
let bucket: string;

before(async () => {
  cluster = await startCluster();
  s3 = new Caller(cluster);
  bucket = await makeBucket(s3);
});
after(() => cluster.stop());

type Headers = readonly (readonly [string, string])[];

function put(key: string, headers: Headers, where = bucket): Promise<Answer> {
  return s3.call({ method: "PUT", target: pathOf(where, key), body: "content", headers });
}

function document(tags: readonly (readonly [string, string])[]): string {
  const rows = tags.map(([key, value]) => `<Tag><Key>${key}</Key><Value>${value}</Value></Tag>`);
  return `<Tagging><TagSet>${rows.join("")}</TagSet></Tagging>`;
}

function putTags(key: string, body: string, query = ""): Promise<Answer> {
  return s3.call({ method: "PUT", target: `${pathOf(bucket, key)}?tagging${query}`, body });
}

async function tagsOf(key: string, query = "", where = bucket): Promise<[string, string][]> {
  const answer = await s3.call({ target: `${pathOf(where, key)}?tagging${query}` });
  assert.equal(answer.status, 200, answer.text);
  const set = answer.xml().children.find(({ name }) => name === "TagSet");
  return (set?.children ?? []).map((tag) => [textAt(tag, "Key") ?? "", textAt(tag, "Value") ?? ""]);
}

test("tags come with a write, are counted, and are read in order", async () => {
  await put("written", [["x-amz-tagging", "colour=deep%20blue&shape=round&empty="]]);
  const expected = [
    ["colour", "deep blue"],
    ["shape", "round"],
    ["empty", ""],
  ];
  assert.deepEqual(await tagsOf("written"), expected);
  for (const method of ["GET", "HEAD"]) {
    const answer = await s3.call({ method, target: pathOf(bucket, "written") });
    assert.equal(answer.headers.get("x-amz-tagging-count"), "3");
  }
});

test("tags are replaced and deleted without touching the object", async () => {
  await put("changed", [["x-amz-tagging", "a=1"]]);
  const before = await s3.get(bucket, "changed");
  assert.equal((await putTags("changed", document([["b", "2"]]))).status, 200);
  assert.deepEqual(await tagsOf("changed"), [["b", "2"]]);
  const deleted = await s3.call({
    method: "DELETE",
    target: `${pathOf(bucket, "changed")}?tagging`,
  });
  assert.equal(deleted.status, 204);
  assert.deepEqual(await tagsOf("changed"), []);
  const afterwards = await s3.get(bucket, "changed");
  assert.equal(afterwards.headers.has("x-amz-tagging-count"), false);
  assert.equal(afterwards.headers.get("etag"), before.headers.get("etag"));
  assert.equal(afterwards.headers.get("last-modified"), before.headers.get("last-modified"));
});

test("an overwrite drops the tags", async () => {
  await put("overwritten", [["x-amz-tagging", "a=1"]]);
  await put("overwritten", []);
  assert.deepEqual(await tagsOf("overwritten"), []);
});

test("copies keep or replace tags by directive", async () => {
  await put("origin", [["x-amz-tagging", "from=origin"]]);
  const copy = (key: string, headers: Headers): Promise<Answer> =>
    put(key, [["x-amz-copy-source", `/${bucket}/origin`], ...headers]);
  await copy("kept", [["x-amz-tagging", "ignored=yes"]]);
  assert.deepEqual(await tagsOf("kept"), [["from", "origin"]]);
  await copy("replaced", [
    ["x-amz-tagging-directive", "REPLACE"],
    ["x-amz-tagging", "new=yes"],
  ]);
  assert.deepEqual(await tagsOf("replaced"), [["new", "yes"]]);
  await copy("none", [["x-amz-tagging-directive", "REPLACE"]]);
  assert.deepEqual(await tagsOf("none"), []);
  const bad = await copy("bad", [["x-amz-tagging-directive", "MERGE"]]);
  assert.equal(bad.code, "InvalidArgument");
});

test("a multipart upload hands its tags to the object", async () => {
  const target = pathOf(bucket, "upload");
  const created = await s3.call({
    method: "POST",
    target: `${target}?uploads`,
    headers: [["x-amz-tagging", "kind=upload"]],
  });
  const id = textAt(created.xml(), "UploadId");
  const query = `?partNumber=1&uploadId=${id}`;
  const part = await s3.call({ method: "PUT", target: target + query, body: "part" });
  const body =
    "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>" +
    `<ETag>${part.headers.get("etag")}</ETag></Part></CompleteMultipartUpload>`;
  const done = await s3.call({ method: "POST", target: `${target}?uploadId=${id}`, body });
  assert.equal(done.status, 200, done.text);
  assert.deepEqual(await tagsOf("upload"), [["kind", "upload"]]);
});

test("each version has its own tags", async () => {
  const own = await makeVersionedBucket(s3);
  const first = (await put("v", [["x-amz-tagging", "n=1"]], own)).headers.get("x-amz-version-id");
  await put("v", [["x-amz-tagging", "n=2"]], own);
  assert.deepEqual(await tagsOf("v", `&versionId=${first}`, own), [["n", "1"]]);
  assert.deepEqual(await tagsOf("v", "", own), [["n", "2"]]);
  const target = `${pathOf(own, "v")}?tagging&versionId=${first}`;
  const changed = await s3.call({ method: "PUT", target, body: document([["n", "one"]]) });
  assert.equal(changed.headers.get("x-amz-version-id"), first);
  assert.deepEqual(await tagsOf("v", `&versionId=${first}`, own), [["n", "one"]]);
  assert.deepEqual(await tagsOf("v", "", own), [["n", "2"]]);
  await s3.call({ method: "DELETE", target: pathOf(own, "v") });
  const hidden = await s3.call({ target: `${pathOf(own, "v")}?tagging` });
  assert.equal(hidden.code, "NoSuchKey");
  assert.equal(hidden.headers.get("x-amz-delete-marker"), "true");
  const put405 = await s3.call({
    method: "PUT",
    target: `${pathOf(own, "v")}?tagging`,
    body: document([]),
  });
  assert.equal(put405.code, "MethodNotAllowed");
});

test("refuses more than ten tags, long ones, bad ones, repeated ones, and odd documents", async () => {
  await put("limits", []);
  const many = Array.from({ length: 11 }, (_, index) => [`k${index}`, "v"] as const);
  const cases: readonly (readonly [string, string])[] = [
    [document(many), "BadRequest"],
    [document([["k".repeat(129), "v"]]), "InvalidTag"],
    [document([["k", "v".repeat(257)]]), "InvalidTag"],
    [document([["k;", "v"]]), "InvalidTag"],
    [document([["aws:k", "v"]]), "InvalidTag"],
    [document([["", "v"]]), "InvalidTag"],
    [
      document([
        ["k", "1"],
        ["k", "2"],
      ]),
      "InvalidTag",
    ],
    ["<Tagging/>", "MalformedXML"],
    ["", "MalformedXML"],
  ];
  for (const [body, code] of cases) {
    const refused = await putTags("limits", body);
    assert.equal(refused.status, 400, body);
    assert.equal(refused.code, code, body);
  }
  assert.deepEqual(await tagsOf("limits"), []);
  assert.equal((await putTags("limits", document(many.slice(0, 10)))).status, 200);
  assert.equal((await putTags("missing", document([]))).code, "NoSuchKey");
  const header = await put("header", [["x-amz-tagging", "a=1&a=2"]]);
  assert.equal(header.code, "InvalidArgument");
  assert.equal((await s3.get(bucket, "header")).status, 404);
});

test("takes more and other tags where the restrictions are lifted", async (context) => {
  if (process.env.DOLIUM_TEST_ENDPOINT !== undefined) return context.skip("needs its own settings");
  const lifted = await startCluster({ tagRestrictions: false });
  try {
    const caller = new Caller(lifted);
    const own = await makeBucket(caller);
    await caller.put(own, "key", "x");
    const many = Array.from(
      { length: 20 },
      (_, index) => [`key;${index}`, "v".repeat(300)] as const,
    );
    const target = `${pathOf(own, "key")}?tagging`;
    const answer = await caller.call({ method: "PUT", target, body: document(many) });
    assert.equal(answer.status, 200, answer.text);
    const read = await caller.get(own, "key");
    assert.equal(read.headers.get("x-amz-tagging-count"), "20");
  } finally {
    await lifted.stop();
  }
});
