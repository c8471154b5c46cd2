// What settings of the gateway change for objects: storage classes by placement policy, the size of
// user metadata (client row C8); and keys that other stores stumble over (client rows C3, C6).
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ROOT_USER, startMemoryGateway } from "../unit/gateway/memory-gateway.ts";
import { Caller, pathOf, textAt, textsOf } from "./caller.ts";
import { makeBucket, startCluster, type TestCluster } from "./harness.ts";

const OWN_SETTINGS = process.env.DOLIUM_TEST_ENDPOINT === undefined;

let cluster: TestCluster;
let s3: Caller;
let bucket: string;

before(async () => {
  cluster = await startCluster();
  s3 = new Caller(cluster);
  bucket = await makeBucket(s3);
});
after(() => cluster.stop());

test("a storage class chooses the placement policy of its bodies", async () => {
  const gateway = await startMemoryGateway({
    storageClasses: { FAST: "fast", STANDARD_IA: "cold" },
  });
  try {
    const endpoint = `http://${gateway.running.address}`;
    const { accessKeyId, secret } = ROOT_USER;
    const caller = new Caller({
      endpoint,
      accessKeyId,
      secretAccessKey: secret,
      region: "us-east-1",
    });
    const own = await makeBucket(caller);
    const policies: (string | undefined)[] = [];
    for (const name of ["FAST", "STANDARD_IA", "ONEZONE_IA", "STANDARD"]) {
      const headers = [["x-amz-storage-class", name]] as const;
      const body = Buffer.alloc(20_000);
      const put = await caller.call({ method: "PUT", target: pathOf(own, name), body, headers });
      assert.equal(put.status, 200, put.text);
      policies.push(gateway.bodies.policies.at(-1));
      const shown = (await caller.get(own, name)).headers.get("x-amz-storage-class");
      assert.equal(shown, name === "STANDARD" ? undefined : name);
    }
    assert.deepEqual(policies, ["fast", "cold", "standard", "standard"]);
    const headers = [["x-amz-storage-class", "SLOW"]] as const;
    const refused = await caller.call({
      method: "PUT",
      target: pathOf(own, "x"),
      body: "x",
      headers,
    });
    assert.equal(refused.code, "InvalidStorageClass");
  } finally {
    await gateway.stop();
  }
});

test("the limit of user metadata is a setting, and can be lifted", async (context) => {
  if (!OWN_SETTINGS) return context.skip("needs its own settings");
  for (const [metadataBytesMax, bytes, status] of [
    [2048, 2048, 200],
    [2048, 2049, 400],
    [4096, 4000, 200],
    [0, 20_000, 200],
  ] as const) {
    const other = await startCluster({ metadataBytesMax });
    try {
      const caller = new Caller(other);
      const own = await makeBucket(caller);
      const headers = [["x-amz-meta-a", "v".repeat(bytes - 1)]] as const;
      const put = await caller.call({ method: "PUT", target: pathOf(own, "k"), body: "", headers });
      assert.equal(put.status, status, `${metadataBytesMax} ${bytes}`);
      if (status === 400) assert.equal(put.code, "MetadataTooLarge");
    } finally {
      await other.stop();
    }
  }
});

test("keys of slashes round-trip, one by one", async () => {
  const own = await makeBucket(s3);
  const keys = ["/", "//", "a//b", "a/", "a", "dir/", "../x", "./y", "%2F"];
  for (const key of keys) assert.equal((await s3.put(own, key, `body of ${key}`)).status, 200);
  for (const key of keys) assert.equal((await s3.get(own, key)).text, `body of ${key}`, key);
  const listed = await s3.call({ target: `/${own}?list-type=2` });
  assert.deepEqual(textsOf(listed.xml(), "Contents", "Key"), keys.toSorted());
});

test("a directory marker is an empty object, and there are no folders but those", async () => {
  await s3.put(bucket, "dir/", "");
  await s3.put(bucket, "dir/a", "x");
  await s3.put(bucket, "other/b", "x");
  const all = await s3.call({ target: `/${bucket}?list-type=2` });
  assert.deepEqual(textsOf(all.xml(), "Contents", "Key"), ["dir/", "dir/a", "other/b"]);
  assert.deepEqual(textsOf(all.xml(), "Contents", "Size"), ["0", "1", "1"]);
  const inside = await s3.call({ target: `/${bucket}?list-type=2&prefix=dir/&delimiter=/` });
  assert.deepEqual(textsOf(inside.xml(), "Contents", "Key"), ["dir/", "dir/a"]);
  assert.equal((await s3.get(bucket, "other/")).status, 404);
  assert.equal((await s3.call({ method: "DELETE", target: pathOf(bucket, "dir/") })).status, 204);
  assert.equal((await s3.get(bucket, "dir/a")).status, 200);
});

test("a setting shows the folders that keys imply, each once over all pages", async (context) => {
  if (!OWN_SETTINGS) return context.skip("needs its own settings");
  const lenient = { partsWithoutEtag: false, unknownGrantees: false, impliedFolders: true };
  const other = await startCluster({ lenient });
  try {
    const caller = new Caller(other);
    const own = await makeBucket(caller);
    for (const key of ["a/b/one", "a/b/two", "a/three", "c/", "c/four", "five"]) {
      await caller.put(own, key, "x");
    }
    const expected = ["a/", "a/b/", "a/b/one", "a/b/two", "a/three", "c/", "c/four", "five"];
    for (const version of ["list-type=2", "list-type=1"]) {
      for (const size of [1, 2, 3, 1000]) {
        const seen: string[] = [];
        let after = "";
        for (let page = 0; page < 20; page += 1) {
          const target = `/${own}?${version}&max-keys=${size}${after}`;
          const answer = (await caller.call({ target })).xml();
          seen.push(...textsOf(answer, "Contents", "Key"));
          if (textAt(answer, "IsTruncated") === "false") break;
          const token = textAt(answer, "NextContinuationToken");
          const last = encodeURIComponent(seen.at(-1) ?? "");
          after = token === undefined ? `&marker=${last}` : `&continuation-token=${token}`;
        }
        assert.deepEqual(seen, expected, `${version} ${size}`);
      }
    }
    const inside = await caller.call({ target: `/${own}?list-type=2&prefix=a/b` });
    assert.deepEqual(textsOf(inside.xml(), "Contents", "Key"), ["a/b/", "a/b/one", "a/b/two"]);
    const grouped = await caller.call({ target: `/${own}?list-type=2&delimiter=/` });
    assert.deepEqual(textsOf(grouped.xml(), "Contents", "Key"), ["five"]);
    assert.deepEqual(textsOf(grouped.xml(), "CommonPrefixes", "Prefix"), ["a/", "c/"]);
    assert.equal((await caller.get(own, "a/")).status, 404);
  } finally {
    await other.stop();
  }
});

test("copies and parts cross buckets, and the source's owner must be the expected one", async () => {
  const other = await makeBucket(s3);
  await s3.put(other, "source", "across");
  const source = ["x-amz-copy-source", `${other}/source`] as const;
  const copy = (owner: string): ReturnType<Caller["call"]> =>
    s3.call({
      method: "PUT",
      target: pathOf(bucket, "copied"),
      headers: [source, ["x-amz-source-expected-bucket-owner", owner]],
    });
  assert.equal((await copy("somebody else")).code, "AccessDenied");
  const list = await s3.call({ target: `${pathOf(other, "source")}?acl` });
  const owner = textAt(list.xml(), "Owner", "ID") ?? "";
  assert.equal((await copy(owner)).status, 200);
  assert.equal((await s3.get(bucket, "copied")).text, "across");
  const expected = [["x-amz-expected-bucket-owner", "somebody else"]] as const;
  const target = `${pathOf(bucket, "copied")}?tagging`;
  assert.equal((await s3.call({ target, headers: expected })).code, "AccessDenied");
});

test("expiration by a lifecycle rule is told with the object it is about", async () => {
  const own = await makeBucket(s3);
  const body =
    "<LifecycleConfiguration><Rule><ID>soon</ID><Status>Enabled</Status>" +
    "<Filter><Prefix>tmp/</Prefix></Filter><Expiration><Days>3</Days></Expiration></Rule><Rule>" +
    "<ID>uploads</ID><Status>Enabled</Status><Filter/><AbortIncompleteMultipartUpload>" +
    "<DaysAfterInitiation>2</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>" +
    "</LifecycleConfiguration>";
  const set = await s3.call({ method: "PUT", target: `/${own}?lifecycle`, body });
  assert.equal(set.status, 200, set.text);
  const put = await s3.put(own, "tmp/a", "x");
  const expected = /^expiry-date="[A-Z][a-z]{2}, \d\d .* 00:00:00 GMT", rule-id="soon"$/;
  assert.match(put.headers.get("x-amz-expiration") ?? "", expected);
  const got = await s3.get(own, "tmp/a");
  assert.equal(got.headers.get("x-amz-expiration"), put.headers.get("x-amz-expiration"));
  assert.equal((await s3.put(own, "kept", "x")).headers.has("x-amz-expiration"), false);
  const created = await s3.call({ method: "POST", target: `${pathOf(own, "up")}?uploads` });
  assert.equal(created.headers.get("x-amz-abort-rule-id"), "uploads");
  assert.ok(created.headers.has("x-amz-abort-date"));
});
