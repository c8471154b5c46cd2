// Versions of objects: written, read, copied and deleted by id, delete markers, listings of all of
// them, and the null version. Actions: GetObject, HeadObject, DeleteObject, DeleteObjects,
// CopyObject, ListObjectVersions.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import { type Answer, Caller, pathOf, textAt, textsOf } from "./caller.ts";
import { makeBucket, makeVersionedBucket, startCluster, type TestCluster } from "./harness.ts";

let cluster: TestCluster;
let s3: Caller;
let bucket: string;

before(async () => {
  cluster = await startCluster();
  s3 = new Caller(cluster);
  bucket = await makeVersionedBucket(s3);
});
after(() => cluster.stop());

async function putVersion(key: string, body: string, where = bucket): Promise<string> {
  const answer = await s3.put(where, key, body);
  assert.equal(answer.status, 200, answer.text);
  const id = answer.headers.get("x-amz-version-id");
  assert.ok(id);
  return id;
}

function at(key: string, id: string, method = "GET", where = bucket): Promise<Answer> {
  return s3.call({ method, target: `${pathOf(where, key)}?versionId=${id}` });
}

function remove(key: string, id?: string, where = bucket): Promise<Answer> {
  const query = id === undefined ? "" : `?versionId=${id}`;
  return s3.call({ method: "DELETE", target: pathOf(where, key) + query });
}

function listing(query = "", where = bucket): Promise<Answer> {
  return s3.call({ target: `/${where}?versions${query}` });
}

test("every version is read by its id, and the newest without one", async () => {
  const first = await putVersion("read", "one");
  const second = await putVersion("read", "two");
  assert.notEqual(first, second);
  assert.match(first, /^[0-9a-f]{32}$/);
  const current = await s3.get(bucket, "read");
  assert.equal(current.text, "two");
  assert.equal(current.headers.get("x-amz-version-id"), second);
  const old = await at("read", first);
  assert.equal(old.text, "one");
  assert.equal(old.headers.get("x-amz-version-id"), first);
  const head = await at("read", first, "HEAD");
  assert.equal(head.status, 200);
  assert.equal(head.headers.get("content-length"), "3");
});

test("refuses versions that are not there and ids that are none", async () => {
  await putVersion("refused", "x");
  const missing = await at("refused", "0".repeat(32));
  assert.equal(missing.status, 404);
  assert.equal(missing.code, "NoSuchVersion");
  assert.equal(textAt(missing.xml(), "VersionId"), "0".repeat(32));
  for (const bad of ["", "latest", "0".repeat(31), "Z".repeat(32)]) {
    const answer = await at("refused", bad);
    assert.equal(answer.status, 400, bad);
    assert.equal(answer.code, "InvalidArgument");
  }
});

test("a delete makes a marker that hides the object and answers for itself", async () => {
  const version = await putVersion("marked", "content");
  const deleted = await remove("marked");
  assert.equal(deleted.status, 204);
  assert.equal(deleted.headers.get("x-amz-delete-marker"), "true");
  const marker = deleted.headers.get("x-amz-version-id");
  assert.ok(marker !== undefined && marker !== version);
  for (const method of ["GET", "HEAD"]) {
    const hidden = await s3.call({ method, target: pathOf(bucket, "marked") });
    assert.equal(hidden.status, 404);
    assert.equal(hidden.headers.get("x-amz-delete-marker"), "true");
    assert.equal(hidden.headers.get("x-amz-version-id"), marker);
    const named = await at("marked", marker, method);
    assert.equal(named.status, 405);
    assert.equal(named.headers.get("allow"), "DELETE");
    assert.equal(named.headers.get("x-amz-delete-marker"), "true");
    assert.ok(named.headers.has("last-modified"));
  }
  assert.equal((await s3.get(bucket, "marked")).code, "NoSuchKey");
  assert.equal((await at("marked", marker)).code, "MethodNotAllowed");
  assert.equal((await at("marked", version)).text, "content");
  const undone = await remove("marked", marker);
  assert.equal(undone.status, 204);
  assert.equal(undone.headers.get("x-amz-delete-marker"), "true");
  assert.equal(undone.headers.get("x-amz-version-id"), marker);
  assert.equal((await s3.get(bucket, "marked")).text, "content");
});

test("a version that is deleted by id is gone, and the one before it is current", async () => {
  const first = await putVersion("step", "one");
  const second = await putVersion("step", "two");
  const gone = await remove("step", second);
  assert.equal(gone.status, 204);
  assert.equal(gone.headers.get("x-amz-version-id"), second);
  assert.equal(gone.headers.has("x-amz-delete-marker"), false);
  assert.equal((await s3.get(bucket, "step")).text, "one");
  assert.equal((await at("step", second)).status, 404);
  assert.equal((await remove("step", second)).status, 204);
  assert.equal((await remove("step", first)).status, 204);
  assert.equal((await s3.get(bucket, "step")).status, 404);
});

test("DeleteObjects makes markers and deletes versions", async () => {
  const first = await putVersion("many", "one");
  await putVersion("many", "two");
  const body =
    `<Delete><Object><Key>many</Key><VersionId>${first}</VersionId></Object>` +
    "<Object><Key>many</Key></Object></Delete>";
  const md5 = createHash("md5").update(body).digest("base64");
  const headers = [["Content-MD5", md5]] as const;
  const answer = await s3.call({ method: "POST", target: `/${bucket}?delete`, body, headers });
  assert.equal(answer.status, 200, answer.text);
  const [named, marked] = answer.xml().children;
  assert.ok(named !== undefined && marked !== undefined);
  assert.equal(textAt(named, "VersionId"), first);
  assert.equal(textAt(named, "DeleteMarker"), undefined);
  assert.equal(textAt(marked, "DeleteMarker"), "true");
  const marker = textAt(marked, "DeleteMarkerVersionId") ?? "";
  assert.equal((await at("many", marker)).status, 405);
  assert.equal((await at("many", first)).status, 404);
});

test("a copy takes the version it names, and can bring an old one back", async () => {
  const first = await putVersion("source", "one");
  const second = await putVersion("source", "two");
  const copy = async (source: string, target: string): Promise<Answer> =>
    s3.call({
      method: "PUT",
      target: pathOf(bucket, target),
      headers: [["x-amz-copy-source", `/${bucket}/${source}`]],
    });
  const current = await copy("source", "target");
  assert.equal(current.headers.get("x-amz-copy-source-version-id"), second);
  assert.ok(current.headers.has("x-amz-version-id"));
  const back = await copy(`source?versionId=${first}`, "source");
  assert.equal(back.status, 200, back.text);
  assert.equal(back.headers.get("x-amz-copy-source-version-id"), first);
  assert.equal((await s3.get(bucket, "source")).text, "one");
  await remove("source");
  const hidden = await copy("source", "target");
  assert.equal(hidden.code, "NoSuchKey");
  const marker = (await s3.get(bucket, "source")).headers.get("x-amz-version-id");
  const ofMarker = await copy(`source?versionId=${marker}`, "target");
  assert.equal(ofMarker.status, 400);
  assert.equal(ofMarker.code, "InvalidRequest");
});

test("lists versions and markers by key, newest first, in pages", async () => {
  const own = await makeVersionedBucket(s3);
  const ids: string[] = [];
  for (const body of ["1", "2", "3"]) ids.push(await putVersion("a", body, own));
  await putVersion("dir/b", "x", own);
  await putVersion("dir/c", "x", own);
  const marker = (await remove("a", undefined, own)).headers.get("x-amz-version-id") ?? "";
  const all = (await listing("", own)).xml();
  assert.deepEqual(textsOf(all, "DeleteMarker", "VersionId"), [marker]);
  assert.deepEqual(textsOf(all, "DeleteMarker", "IsLatest"), ["true"]);
  assert.deepEqual(textsOf(all, "Version", "Key"), ["a", "a", "a", "dir/b", "dir/c"]);
  assert.deepEqual(textsOf(all, "Version", "VersionId").slice(0, 3), ids.toReversed());
  assert.deepEqual(textsOf(all, "Version", "IsLatest").slice(0, 4), [
    "false",
    "false",
    "false",
    "true",
  ]);
  const seen: string[] = [];
  let query = "";
  for (let page = 0; page < 10; page += 1) {
    const answer = (await listing(`&max-keys=1&delimiter=/${query}`, own)).xml();
    for (const kind of ["DeleteMarker", "Version"])
      seen.push(...textsOf(answer, kind, "VersionId"));
    seen.push(...textsOf(answer, "CommonPrefixes", "Prefix"));
    if (textAt(answer, "IsTruncated") === "false") break;
    const version = textAt(answer, "NextVersionIdMarker");
    query = `&key-marker=${encodeURIComponent(textAt(answer, "NextKeyMarker") ?? "")}`;
    if (version !== undefined) query += `&version-id-marker=${version}`;
  }
  assert.deepEqual(seen, [marker, ...ids.toReversed(), "dir/"]);
});

test("refuses a version marker without a key, and one that is none", async () => {
  const alone = await listing(`&version-id-marker=${"0".repeat(32)}`);
  assert.equal(alone.code, "InvalidArgument");
  const bad = await listing("&key-marker=a&version-id-marker=zz");
  assert.equal(bad.code, "InvalidArgument");
});

test("a bucket without versioning shows the null version only where one asks for it", async () => {
  const plain = await makeBucket(s3);
  const put = await s3.put(plain, "key", "content");
  assert.equal(put.headers.has("x-amz-version-id"), false);
  assert.equal((await s3.get(plain, "key")).headers.has("x-amz-version-id"), false);
  assert.equal((await at("key", "null", "GET", plain)).text, "content");
  const listed = (await listing("", plain)).xml();
  assert.deepEqual(textsOf(listed, "Version", "VersionId"), ["null"]);
  assert.equal((await remove("key", undefined, plain)).headers.has("x-amz-delete-marker"), false);
  assert.deepEqual(textsOf((await listing("", plain)).xml(), "Version", "Key"), []);
});

test("a suspended bucket overwrites the null version and keeps the others", async () => {
  const own = await makeVersionedBucket(s3);
  const kept = await putVersion("key", "kept", own);
  const body = "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>";
  await s3.call({ method: "PUT", target: `/${own}?versioning`, body });
  assert.equal(await putVersion("key", "first", own), "null");
  assert.equal(await putVersion("key", "second", own), "null");
  assert.equal((await at("key", "null", "GET", own)).text, "second");
  const listed = (await listing("", own)).xml();
  assert.deepEqual(textsOf(listed, "Version", "VersionId"), ["null", kept]);
  const deleted = await remove("key", undefined, own);
  assert.equal(deleted.headers.get("x-amz-version-id"), "null");
  assert.equal(deleted.headers.get("x-amz-delete-marker"), "true");
  assert.equal((await at("key", kept, "GET", own)).text, "kept");
});
