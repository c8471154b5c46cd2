// Adding to objects and renaming them, in one step each. Actions: AppendObject (PutObject with
// x-amz-write-offset-bytes), RenameObject, RestoreObject.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { type Answer, Caller, pathOf, textAt } from "./caller.ts";
import { makeBucket, makeVersionedBucket, startCluster, type TestCluster } from "./harness.ts";

let cluster: TestCluster;
let s3: Caller;
let bucket: string;

type Headers = readonly (readonly [string, string])[];

before(async () => {
  cluster = await startCluster();
  s3 = new Caller(cluster);
  bucket = await makeBucket(s3);
});
after(() => cluster.stop());

function append(
  key: string,
  offset: number | string,
  body: Uint8Array | string,
  headers: Headers = [],
): Promise<Answer> {
  return s3.call({
    method: "PUT",
    target: pathOf(bucket, key),
    body,
    headers: [["x-amz-write-offset-bytes", String(offset)], ...headers],
  });
}

function rename(source: string, target: string, headers: Headers = [], where = bucket) {
  return s3.call({
    method: "PUT",
    target: `${pathOf(where, target)}?renameObject`,
    headers: [["x-amz-rename-source", source], ...headers],
  });
}

function md5(body: Uint8Array | string): string {
  return createHash("md5").update(body).digest("hex");
}

test("an object grows from nothing, inline bytes first, then as parts", async () => {
  const pieces = [
    Buffer.from("first"),
    Buffer.from(" second"),
    randomBytes(30_000),
    randomBytes(200_000),
    Buffer.from("end"),
  ];
  let whole = Buffer.alloc(0);
  for (const [index, piece] of pieces.entries()) {
    const headers: Headers = index === 0 ? [["x-amz-meta-kept", "yes"]] : [];
    const answer = await append("grown", whole.byteLength, piece, headers);
    assert.equal(answer.status, 200, answer.text);
    whole = Buffer.concat([whole, piece]);
    assert.equal(answer.headers.get("x-amz-object-size"), String(whole.byteLength));
    const got = await s3.get(bucket, "grown");
    assert.ok(got.body.equals(whole), `after piece ${index}`);
    assert.equal(got.headers.get("etag"), answer.headers.get("etag"));
    assert.equal(got.headers.get("x-amz-meta-kept"), "yes");
    if (index < 3) assert.equal(answer.headers.get("etag"), `"${md5(whole)}"`);
    else assert.match(answer.headers.get("etag") ?? "", /-\d+"$/);
  }
  const range = await s3.get(bucket, "grown", [["Range", "bytes=29990-30030"]]);
  assert.ok(range.body.equals(whole.subarray(29_990, 30_031)));
});

test("a large object and a multipart object are appended to", async () => {
  const large = randomBytes(100_000);
  await s3.put(bucket, "large", large);
  const tail = randomBytes(50_000);
  assert.equal((await append("large", large.byteLength, tail)).status, 200);
  assert.ok((await s3.get(bucket, "large")).body.equals(Buffer.concat([large, tail])));
});

test("an empty object and an empty addition are no special case", async () => {
  await s3.put(bucket, "empty", "");
  assert.equal((await append("empty", 0, "content")).status, 200);
  assert.equal((await s3.get(bucket, "empty")).text, "content");
  assert.equal((await append("empty", 7, "")).status, 200);
  assert.equal((await s3.get(bucket, "empty")).text, "content");
});

test("sealed objects grow too, inline and in parts, under the key they began with", async () => {
  const key = randomBytes(32);
  const clientKey: Headers = [
    ["x-amz-server-side-encryption-customer-algorithm", "AES256"],
    ["x-amz-server-side-encryption-customer-key", key.toString("base64")],
    [
      "x-amz-server-side-encryption-customer-key-MD5",
      createHash("md5").update(key).digest("base64"),
    ],
  ];
  const ways: readonly (readonly [string, Headers, Headers])[] = [
    ["sealed/store", [["x-amz-server-side-encryption", "AES256"]], []],
    ["sealed/client", clientKey, clientKey],
  ];
  for (const [name, first, later] of ways) {
    let whole = Buffer.alloc(0);
    for (const size of [100, 50, 30_000, 100_000, 7]) {
      const piece = randomBytes(size);
      const headers = whole.byteLength === 0 ? first : later;
      const answer = await append(name, whole.byteLength, piece, headers);
      assert.equal(answer.status, 200, `${name} ${size} ${answer.text}`);
      whole = Buffer.concat([whole, piece]);
      const got = await s3.get(bucket, name, later);
      assert.ok(got.body.equals(whole), `${name} after ${size}`);
    }
    const range = await s3.get(bucket, name, [["Range", "bytes=30100-30200"], ...later]);
    assert.ok(range.body.equals(whole.subarray(30_100, 30_201)));
  }
  const keyless = await append("sealed/client", 130_157, "x");
  assert.equal(keyless.status, 400);
  assert.equal(keyless.code, "InvalidRequest");
});

test("refuses another offset, and of two at one offset takes one", async () => {
  await append("offsets", 0, "0123456789");
  for (const offset of [0, 9, 11]) {
    const refused = await append("offsets", offset, "x");
    assert.equal(refused.status, 400, String(offset));
    assert.equal(refused.code, "InvalidWriteOffset");
  }
  for (const bad of ["-1", "ten", "1.5"]) {
    assert.equal((await append("offsets", bad, "x")).code, "InvalidArgument");
  }
  assert.equal((await append("absent", 1, "x")).code, "InvalidWriteOffset");
  const both = await Promise.all([append("offsets", 10, "a"), append("offsets", 10, "b")]);
  assert.deepEqual(both.map(({ status }) => status).toSorted(), [200, 400]);
  assert.match((await s3.get(bucket, "offsets")).text, /^0123456789[ab]$/);
});

test("conditions and digests of an addition must hold", async () => {
  const first = await append("conditions", 0, "abc");
  const etag = first.headers.get("etag") ?? "";
  const wrong = await append("conditions", 3, "x", [["If-Match", '"0"']]);
  assert.equal(wrong.code, "PreconditionFailed");
  const mangled = await append("conditions", 3, "x", [
    ["Content-MD5", createHash("md5").update("y").digest("base64")],
  ]);
  assert.equal(mangled.code, "BadDigest");
  assert.equal((await append("conditions", 3, "d", [["If-Match", etag]])).status, 200);
  assert.equal((await s3.get(bucket, "conditions")).text, "abcd");
});

test("buckets with versioning take no additions and no renaming", async () => {
  const versioned = await makeVersionedBucket(s3);
  await s3.put(versioned, "key", "x");
  const refused = await s3.call({
    method: "PUT",
    target: pathOf(versioned, "key"),
    body: "y",
    headers: [["x-amz-write-offset-bytes", "1"]],
  });
  assert.equal(refused.status, 409);
  assert.equal(refused.code, "InvalidBucketState");
  assert.equal((await rename("key", "other", [], versioned)).code, "InvalidBucketState");
});

test("an object is renamed with everything it has, whatever its size", async () => {
  for (const [name, body] of [
    ["small", Buffer.from("small")],
    ["big", randomBytes(100_000)],
  ] as const) {
    const headers = [
      ["x-amz-meta-of", name],
      ["x-amz-tagging", "a=b"],
    ] as const;
    await s3.call({ method: "PUT", target: pathOf(bucket, name), body, headers });
    const answer = await rename(`/${bucket}/${name}`, `renamed/${name}`);
    assert.equal(answer.status, 200, answer.text);
    const moved = await s3.get(bucket, `renamed/${name}`);
    assert.ok(moved.body.equals(body));
    assert.equal(moved.headers.get("x-amz-meta-of"), name);
    assert.equal(moved.headers.get("x-amz-tagging-count"), "1");
    assert.equal((await s3.get(bucket, name)).status, 404);
  }
});

test("a rename takes any spelling of its source and overwrites its target", async () => {
  await s3.put(bucket, "a b/ü", "new");
  await s3.put(bucket, "target", "old");
  assert.equal((await rename("a%20b/%C3%BC", "target")).status, 200);
  assert.equal((await s3.get(bucket, "target")).text, "new");
  assert.equal((await rename("/target", "again")).status, 200);
  assert.equal((await s3.get(bucket, "again")).text, "new");
});

test("refuses renaming what is not there, onto itself, and against conditions", async () => {
  await s3.put(bucket, "from", "from");
  await s3.put(bucket, "to", "to");
  assert.equal((await rename("missing", "to")).code, "NoSuchKey");
  assert.equal((await rename("from", "from")).code, "InvalidRequest");
  assert.equal((await rename("", "to")).code, "InvalidArgument");
  assert.equal((await rename("from", "to", [["If-None-Match", "*"]])).code, "PreconditionFailed");
  const source = [["x-amz-rename-source-if-match", '"0"']] as const;
  assert.equal((await rename("from", "to", source)).code, "PreconditionFailed");
  assert.equal((await s3.get(bucket, "to")).text, "to");
  assert.equal((await s3.get(bucket, "from")).text, "from");
  const right = [["x-amz-rename-source-if-match", `"${md5("from")}"`]] as const;
  assert.equal((await rename("from", "to", right)).status, 200);
});

const PAST = "Mon, 01 Jan 2001 00:00:00 GMT";
const FUTURE = "Fri, 01 Jan 2100 00:00:00 GMT";
const ANCIENT = "Wed, 01 Jan 1969 00:00:00 GMT";

test("a rename takes every condition of S3 on its source and on its target", async () => {
  const etag = `"${md5("same")}"`;
  const fails: Headers = [
    ["if-match", '"0"'],
    ["if-none-match", "*"],
    ["if-none-match", etag],
    ["if-modified-since", FUTURE],
    ["if-unmodified-since", PAST],
    ["if-unmodified-since", ANCIENT],
  ];
  const holds: Headers = [
    ["if-match", etag],
    ["if-none-match", '"0"'],
    ["if-modified-since", PAST],
    ["if-modified-since", ANCIENT],
    ["if-unmodified-since", FUTURE],
  ];
  for (const prefix of ["", "x-amz-rename-source-"]) {
    await s3.put(bucket, "c-from", "same");
    await s3.put(bucket, "c-to", "same");
    for (const [name, value] of fails) {
      const refused = await rename("c-from", "c-to", [[`${prefix}${name}`, value]]);
      assert.equal(refused.status, 412, `${prefix}${name} ${value}`);
      assert.equal(textAt(refused.xml(), "Condition")?.toLowerCase(), `${prefix}${name}`);
    }
    assert.equal((await s3.get(bucket, "c-from")).status, 200);
    for (const [name, value] of holds) {
      const done = await rename("c-from", "c-to", [[`${prefix}${name}`, value]]);
      assert.equal(done.status, 200, `${prefix}${name} ${value} ${done.text}`);
      await s3.put(bucket, "c-from", "same");
    }
    const odd = await rename("c-from", "c-to", [[`${prefix}if-modified-since`, "yesterday"]]);
    assert.equal(odd.code, "InvalidArgument");
    const weak = await rename("c-from", "c-to", [[`${prefix}if-match`, `W/${etag}`]]);
    assert.equal(weak.code, "NotImplemented");
  }
  const absent = await rename("c-from", "c-none", [["if-modified-since", PAST]]);
  assert.equal(absent.code, "NoSuchKey");
});

test("nothing here is archived, so there is nothing to restore", async () => {
  await s3.put(bucket, "readable", "x");
  const target = `${pathOf(bucket, "readable")}?restore`;
  const body = "<RestoreRequest><Days>1</Days></RestoreRequest>";
  const answer = await s3.call({ method: "POST", target, body });
  assert.equal(answer.status, 403);
  assert.equal(answer.code, "InvalidObjectState");
  assert.equal(textAt(answer.xml(), "StorageClass"), "STANDARD");
  const odd = await s3.call({ method: "POST", target, body: "<Restore/>" });
  assert.equal(odd.code, "MalformedXML");
  const missing = `${pathOf(bucket, "not-there")}?restore`;
  assert.equal((await s3.call({ method: "POST", target: missing, body })).code, "NoSuchKey");
});
