// Client row C2: with s3.bucketViews the bucket name `a:b:c` is what lies under `b/c/` in bucket
// `a`. Objects, listings, copies and forms know keys without the prefix; nothing outside of it is
// reached; the bucket itself is neither made, changed nor removed through a view.
import assert from "node:assert/strict";
import { createHash, createHmac, randomBytes } from "node:crypto";
import { after, before, beforeEach, test } from "node:test";
import { startGatewayOver } from "../unit/gateway/memory-gateway.ts";
import { type Answer, Caller, textAt, textsOf } from "./caller.ts";
import { callerOf, makeBucket, newBucketName, startCluster, type TestCluster } from "./harness.ts";
import { StateMetadata } from "./state-metadata.ts";

const SKIPPED = process.env.DOLIUM_TEST_ENDPOINT !== undefined && "needs its own settings";
const FIVE_MIB = 5 * 1024 * 1024;

let cluster: TestCluster;
let s3: Caller;
let bucket: string;
/** Name of the view. */
let view: string;

before(async () => {
  cluster = await startCluster({ bucketViews: true });
  s3 = new Caller(cluster);
});
after(() => cluster.stop());
beforeEach(async () => {
  if (SKIPPED !== false) return;
  bucket = await makeBucket(s3);
  view = `${bucket}:home:ann`;
});

function viewTest(title: string, body: () => Promise<void>): void {
  test(title, { skip: SKIPPED }, body);
}

async function ok(answer: Promise<Answer>): Promise<Answer> {
  const { status, text } = await answer;
  assert.ok(status < 300, `${status} ${text}`);
  return answer;
}

async function keysOf(target: string, element = "Contents"): Promise<string[]> {
  return textsOf((await ok(s3.call({ target }))).xml(), element, "Key");
}

viewTest("C2: an object of a view is one of the bucket, under the prefix", async () => {
  const put = await ok(s3.call({ method: "PUT", target: `/${view}/a/b%20c`, body: "mine" }));
  assert.equal((await s3.get(bucket, "home/ann/a/b c")).text, "mine");
  const escaped = view.replaceAll(":", "%3A");
  for (const name of [view, escaped]) {
    const target = `/${name}/a/b%20c`;
    const got = await ok(s3.call({ target }));
    assert.deepEqual([got.text, got.headers.get("etag")], ["mine", put.headers.get("etag")]);
    const presigned = await s3.call({ target: s3.presign({ target }), sign: false });
    assert.equal(presigned.text, "mine");
  }
  await s3.put(bucket, "home/bob", "not mine");
  for (const key of ["../bob", "home/ann/a/b%20c", "%2E%2E/bob"]) {
    const missing = await s3.call({ target: `/${view}/${key}` });
    assert.equal(missing.code, "NoSuchKey", key);
    assert.equal(textAt(missing.xml(), "Key"), decodeURIComponent(key));
  }
  await ok(s3.call({ method: "DELETE", target: `/${view}/a/b%20c` }));
  assert.equal((await s3.get(bucket, "home/ann/a/b c")).status, 404);
});

viewTest("C2: listings show the keys of the view, without its prefix", async () => {
  const keys = ["a", "b/c", "b/d", "e"];
  for (const key of keys) await s3.put(bucket, `home/ann/${key}`, "x");
  for (const key of ["a", "home/ann", "home/ann/", "home/anna/z", "home/bob/a", "zoo"]) {
    await s3.put(bucket, key, "x");
  }
  for (const query of ["", "list-type=2", "versions"]) {
    const element = query === "versions" ? "Version" : "Contents";
    const all = await ok(s3.call({ target: `/${view}?${query}` }));
    assert.equal(textAt(all.xml(), "Name"), view);
    assert.deepEqual(textsOf(all.xml(), element, "Key"), keys, query);
    assert.deepEqual(await keysOf(`/${view}/?${query}&prefix=b/`, element), ["b/c", "b/d"]);
    assert.deepEqual(await keysOf(`/${view}?${query}&prefix=home/`, element), []);
    const grouped = (await ok(s3.call({ target: `/${view}?${query}&delimiter=/` }))).xml();
    assert.deepEqual(textsOf(grouped, element, "Key"), ["a", "e"]);
    assert.deepEqual(textsOf(grouped, "CommonPrefixes", "Prefix"), ["b/"]);
  }
  assert.deepEqual(await keysOf(`/${view}?marker=b/c`), ["b/d", "e"]);
  assert.deepEqual(await keysOf(`/${view}?list-type=2&start-after=b/c`), ["b/d", "e"]);
  assert.deepEqual(await keysOf(`/${view}?versions&key-marker=b/c`, "Version"), ["b/d", "e"]);
});

viewTest("C2: pages of a view go on where the last one ended", async () => {
  const keys = ["a", "b", "c/d", "e"];
  for (const key of keys) await s3.put(bucket, `home/ann/${key}`, "x");
  await s3.put(bucket, "home/anz", "x");
  for (const [query, element, next] of [
    ["max-keys=1&delimiter=-", "Contents", ["NextMarker", "marker"]],
    ["list-type=2&max-keys=1", "Contents", ["NextContinuationToken", "continuation-token"]],
    ["versions&max-keys=1", "Version", ["NextKeyMarker", "key-marker"]],
  ] as const) {
    const seen: string[] = [];
    let after = "";
    for (let page = 0; page <= keys.length; page += 1) {
      const answer = (await ok(s3.call({ target: `/${view}?${query}${after}` }))).xml();
      seen.push(...textsOf(answer, element, "Key"));
      if (textAt(answer, "IsTruncated") === "false") break;
      const marker = encodeURIComponent(textAt(answer, next[0]) ?? "");
      const id = textAt(answer, "NextVersionIdMarker");
      after = `&${next[1]}=${marker}${id === undefined ? "" : `&version-id-marker=${id}`}`;
    }
    assert.deepEqual(seen, keys, query);
  }
});

viewTest("C2: uploads in parts know the keys of the view", async () => {
  const target = `/${view}/big`;
  await ok(s3.call({ method: "POST", target: `/${bucket}/other?uploads` }));
  const made = (await ok(s3.call({ method: "POST", target: `${target}?uploads` }))).xml();
  assert.deepEqual([textAt(made, "Bucket"), textAt(made, "Key")], [view, "big"]);
  const uploadId = textAt(made, "UploadId") ?? "";
  const body = randomBytes(FIVE_MIB);
  const sent = await ok(
    s3.call({ method: "PUT", target: `${target}?partNumber=1&uploadId=${uploadId}`, body }),
  );
  const parts = (await ok(s3.call({ target: `${target}?uploadId=${uploadId}` }))).xml();
  assert.deepEqual([textAt(parts, "Bucket"), textAt(parts, "Key")], [view, "big"]);
  const uploads = (await ok(s3.call({ target: `/${view}?uploads` }))).xml();
  assert.equal(textAt(uploads, "Bucket"), view);
  assert.deepEqual(textsOf(uploads, "Upload", "Key"), ["big"]);
  const after = await ok(s3.call({ target: `/${view}?uploads&key-marker=big` }));
  assert.deepEqual(textsOf(after.xml(), "Upload", "Key"), []);
  const etag = sent.headers.get("etag") ?? "";
  const part = `<Part><PartNumber>1</PartNumber><ETag>${etag}</ETag></Part>`;
  const document = `<CompleteMultipartUpload>${part}</CompleteMultipartUpload>`;
  const done = await ok(
    s3.call({ method: "POST", target: `${target}?uploadId=${uploadId}`, body: document }),
  );
  assert.deepEqual([textAt(done.xml(), "Bucket"), textAt(done.xml(), "Key")], [view, "big"]);
  const location = new URL(textAt(done.xml(), "Location") ?? "").pathname;
  assert.equal(location, `/${view.replaceAll(":", "%3A")}/big`);
  assert.equal((await s3.get(bucket, "home/ann/big")).body.byteLength, FIVE_MIB);
});

viewTest("C2: many keys are deleted by the names they have in the view", async () => {
  for (const key of ["a", "home/ann/a", "home/ann/b"]) await s3.put(bucket, key, "x");
  const body = "<Delete><Object><Key>a</Key></Object><Object><Key>none</Key></Object></Delete>";
  const md5 = createHash("md5").update(body).digest("base64");
  const headers = [["Content-MD5", md5]] as const;
  const answer = await ok(s3.call({ method: "POST", target: `/${view}?delete`, body, headers }));
  assert.deepEqual(textsOf(answer.xml(), "Deleted", "Key"), ["a", "none"]);
  assert.deepEqual(await keysOf(`/${bucket}`), ["a", "home/ann/b"]);
});

viewTest("C2: copies and renames may name their source in a view", async () => {
  await s3.put(bucket, "home/ann/from", "copied");
  const copy = [["x-amz-copy-source", `/${view}/from`]] as const;
  await ok(s3.call({ method: "PUT", target: `/${bucket}/to`, headers: copy }));
  assert.equal((await s3.get(bucket, "to")).text, "copied");
  await ok(s3.call({ method: "PUT", target: `/${view}/to`, headers: copy }));
  assert.equal((await s3.get(bucket, "home/ann/to")).text, "copied");
  for (const source of [`/${view}/from`, "again"]) {
    const rename = [["x-amz-rename-source", encodeURI(source)]] as const;
    const target = `/${view}/${source === "again" ? "last" : "again"}?renameObject`;
    await ok(s3.call({ method: "PUT", target, headers: rename }));
  }
  assert.deepEqual(await keysOf(`/${view}`), ["last", "to"]);
  const bad = [["x-amz-copy-source", `/${bucket}::x/from`]] as const;
  const refused = await s3.call({ method: "PUT", target: `/${bucket}/to`, headers: bad });
  assert.equal(refused.code, "InvalidBucketName");
});

/** A form posted to `target`, signed with version 2 for the bucket and the start of the key. */
async function postForm(
  target: string,
  signed: { bucket: string; start: string },
): Promise<Answer> {
  const expiration = new Date(Date.now() + 60_000).toISOString();
  const conditions = [{ bucket: signed.bucket }, ["starts-with", "$key", signed.start]];
  const policy = Buffer.from(JSON.stringify({ expiration, conditions })).toString("base64");
  const { accessKeyId, secretAccessKey } = s3.target;
  const signature = createHmac("sha1", secretAccessKey).update(policy).digest("base64");
  const fields = { key: "up/form", AWSAccessKeyId: accessKeyId, policy, signature };
  const disposition = 'Content-Disposition: form-data; name="';
  const pieces = Object.entries(fields).map(
    ([name, value]) => `--limit\r\n${disposition}${name}"\r\n\r\n${value}\r\n`,
  );
  const file = `--limit\r\n${disposition}file"; filename="f"\r\n\r\nposted\r\n--limit--\r\n`;
  const headers = [["Content-Type", "multipart/form-data; boundary=limit"]] as const;
  const body = pieces.join("") + file;
  return s3.call({ method: "POST", target, sign: false, body, headers });
}

viewTest("C2: a form counts for the names it was signed with", async () => {
  await ok(postForm(`/${view}`, { bucket: view, start: "up/" }));
  assert.equal((await s3.get(bucket, "home/ann/up/form")).text, "posted");
  const stray = await postForm(`/${view}`, { bucket, start: "up/" });
  assert.equal(stray.code, "AccessDenied");
  const whole = await postForm(`/${bucket}`, { bucket: view, start: "up/" });
  assert.equal(whole.code, "AccessDenied");
});

viewTest("C2: a view is there when its bucket is, and is never listed", async () => {
  const region = "x-amz-bucket-region";
  const head = await ok(s3.call({ method: "HEAD", target: `/${view}` }));
  assert.equal(head.headers.get(region), cluster.region);
  await ok(s3.call({ target: `/${view}?location` }));
  await s3.call({ method: "PUT", target: `/${view}/key`, body: "x" });
  const buckets = await ok(s3.call({ target: "/" }));
  assert.ok(!buckets.text.includes(":home"), buckets.text);
  const none = await s3.call({ target: `/${newBucketName()}:home/key` });
  assert.equal(none.code, "NoSuchBucket");
  const { stranger } = cluster;
  for (const target of [`/${view}`, `/${view}/key`]) {
    assert.equal((await stranger?.call({ target }))?.code, "AccessDenied");
    assert.equal((await s3.call({ target, sign: false })).code, "AccessDenied");
  }
});

viewTest("C2: a bucket is not made, changed or removed through a view", async () => {
  const versioning = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
  const absent = `${newBucketName()}:home`;
  for (const [method, target, body] of [
    ["PUT", `/${absent}`, ""],
    ["PUT", `/${view}`, ""],
    ["DELETE", `/${view}`, ""],
    ["PUT", `/${view}?versioning`, versioning],
    ["DELETE", `/${view}?lifecycle`, ""],
  ] as const) {
    const refused = await s3.call({ method, target, body });
    assert.deepEqual([refused.status, refused.code], [405, "MethodNotAllowed"], target);
  }
  assert.equal((await s3.call({ target: `/${bucket}` })).status, 200);
  const state = await s3.call({ target: `/${bucket}?versioning` });
  assert.equal(state.text.includes("Enabled"), false);
  assert.equal((await s3.call({ target: `/${absent.split(":")[0]}` })).code, "NoSuchBucket");
});

viewTest(
  "C2: names with empty pieces or slashes are none, and keys stay within bounds",
  async () => {
    for (const name of [`${bucket}:`, `${bucket}::b`, `:${bucket}`, `${bucket}:b%2Fc`]) {
      for (const target of [`/${name}`, `/${name}/key`]) {
        assert.equal((await s3.call({ target })).code, "InvalidBucketName", target);
      }
    }
    const room = 1024 - "home/ann/".length;
    const longest = await s3.call({
      method: "PUT",
      target: `/${view}/${"k".repeat(room)}`,
      body: "x",
    });
    assert.equal(longest.status, 200, longest.text);
    const over = `/${view}/${"k".repeat(room + 1)}`;
    assert.equal(
      (await s3.call({ method: "PUT", target: over, body: "x" })).code,
      "KeyTooLongError",
    );
    const deep = `/${bucket}:${"d".repeat(1024)}`;
    assert.equal((await s3.call({ target: deep })).code, "KeyTooLongError");
  },
);

test("C2: without the setting such a name is no bucket's", async () => {
  const metadata = await StateMetadata.open();
  const gateway = await startGatewayOver(metadata);
  try {
    const caller = callerOf(gateway);
    const own = await makeBucket(caller);
    await caller.put(own, "home/key", "x");
    for (const target of [`/${own}:home`, `/${own}:home/key`]) {
      assert.equal((await caller.call({ target })).code, "InvalidBucketName");
      const copy = [["x-amz-copy-source", `/${own}:home/key`]] as const;
      const copied = await caller.call({ method: "PUT", target: `/${own}/to`, headers: copy });
      assert.equal(copied.code, "InvalidBucketName");
    }
  } finally {
    await gateway.stop();
    await metadata.close();
  }
});
