// Bucket actions: create, list, head, location, versioning, delete, and what is not implemented.
// Actions: ListBuckets, CreateBucket, HeadBucket, DeleteBucket, GetBucketLocation,
// GetBucketVersioning.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Caller, pathOf, textAt, textsOf } from "./caller.ts";
import { makeBucket, newBucketName, startCluster, type TestCluster } from "./harness.ts";

let cluster: TestCluster;
let s3: Caller;

before(async () => {
  cluster = await startCluster();
  s3 = new Caller(cluster);
});
after(() => cluster.stop());

test("creates, finds, lists and deletes a bucket", async () => {
  const bucket = newBucketName();
  assert.equal((await s3.call({ method: "HEAD", target: `/${bucket}` })).status, 404);
  const created = await s3.call({ method: "PUT", target: `/${bucket}` });
  assert.equal(created.status, 200);
  assert.equal(created.headers.get("location"), `/${bucket}`);
  const head = await s3.call({ method: "HEAD", target: `/${bucket}` });
  assert.equal(head.status, 200);
  assert.equal(head.headers.get("x-amz-bucket-region"), cluster.region);
  const list = (await s3.call({ target: "/" })).xml();
  const names = list.children.find(({ name }) => name === "Buckets");
  assert.ok(names !== undefined && textsOf(names, "Bucket", "Name").includes(bucket));
  const deleted = await s3.call({ method: "DELETE", target: `/${bucket}` });
  assert.equal(deleted.status, 204);
  assert.equal(deleted.body.byteLength, 0);
  assert.equal((await s3.call({ method: "HEAD", target: `/${bucket}` })).status, 404);
  const again = await s3.call({ method: "DELETE", target: `/${bucket}` });
  assert.equal(again.code, "NoSuchBucket");
});

test("creating one's own bucket again succeeds in us-east-1", async () => {
  const bucket = await makeBucket(s3);
  await s3.put(bucket, "kept", "x");
  assert.equal((await s3.call({ method: "PUT", target: `/${bucket}` })).status, 200);
  assert.equal((await s3.get(bucket, "kept")).text, "x");
});

for (const name of [
  "ab",
  "Upper-Case",
  "a..b",
  "192.168.5.4",
  "-dash",
  "under_score",
  "x".repeat(64),
]) {
  test(`refuses the bucket name ${name.slice(0, 20)}`, async () => {
    const answer = await s3.call({ method: "PUT", target: `/${name}` });
    assert.equal(answer.status, 400);
    assert.equal(answer.code, "InvalidBucketName");
  });
}

test("answers location and versioning", async () => {
  const bucket = newBucketName();
  const body =
    '<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">' +
    "<LocationConstraint>eu-central-1</LocationConstraint></CreateBucketConfiguration>";
  assert.equal((await s3.call({ method: "PUT", target: `/${bucket}`, body })).status, 200);
  const location = (await s3.call({ target: `/${bucket}?location` })).xml();
  assert.equal(location.name, "LocationConstraint");
  assert.equal(location.text, "eu-central-1");
  const other = await makeBucket(s3);
  assert.equal((await s3.call({ target: `/${other}?location` })).xml().text, "");
  const versioning = (await s3.call({ target: `/${other}?versioning` })).xml();
  assert.equal(versioning.name, "VersioningConfiguration");
  assert.equal(versioning.children.length, 0);
});

test("refuses broken configuration documents", async () => {
  const bodies = ["<CreateBucketConfiguration>", "not xml", "<Other/>", "<!DOCTYPE a><a/>"];
  for (const body of bodies) {
    const target = `/${newBucketName()}`;
    const answer = await s3.call({ method: "PUT", target, body });
    assert.equal(answer.status, 400, body);
    assert.equal(answer.code, "MalformedXML", body);
    assert.equal((await s3.call({ method: "HEAD", target })).status, 404);
  }
});

test("does not delete a bucket that holds an object", async () => {
  const bucket = await makeBucket(s3);
  await s3.put(bucket, "object", "x");
  const refused = await s3.call({ method: "DELETE", target: `/${bucket}` });
  assert.equal(refused.status, 409);
  assert.equal(refused.code, "BucketNotEmpty");
  assert.equal((await s3.get(bucket, "object")).text, "x");
  await s3.call({ method: "DELETE", target: pathOf(bucket, "object") });
  assert.equal((await s3.call({ method: "DELETE", target: `/${bucket}` })).status, 204);
  assert.equal((await s3.put(bucket, "object", "x")).code, "NoSuchBucket");
});

test("a new bucket of an old name is empty", async () => {
  const bucket = await makeBucket(s3);
  await s3.put(bucket, "object", "old");
  await s3.call({ method: "DELETE", target: pathOf(bucket, "object") });
  assert.equal((await s3.call({ method: "DELETE", target: `/${bucket}` })).status, 204);
  assert.equal((await s3.call({ method: "PUT", target: `/${bucket}` })).status, 200);
  assert.equal((await s3.get(bucket, "object")).code, "NoSuchKey");
  assert.equal((await s3.put(bucket, "object", "new")).status, 200);
  assert.equal((await s3.get(bucket, "object")).text, "new");
});

test("lists buckets in pages", async () => {
  const prefix = newBucketName();
  for (const letter of ["a", "b", "c"]) {
    await s3.call({ method: "PUT", target: `/${prefix}-${letter}` });
  }
  const names: string[] = [];
  let token: string | undefined;
  let pages = 0;
  do {
    const more = token === undefined ? "" : `&continuation-token=${token}`;
    const target = `/?max-buckets=2&prefix=${prefix}${more}`;
    const document = (await s3.call({ target })).xml();
    const list = document.children.find(({ name }) => name === "Buckets");
    assert.ok(list !== undefined);
    names.push(...textsOf(list, "Bucket", "Name"));
    token = textAt(document, "ContinuationToken");
    pages += 1;
  } while (token !== undefined);
  assert.deepEqual(
    names,
    ["a", "b", "c"].map((letter) => `${prefix}-${letter}`),
  );
  assert.equal(pages, 2);
  for (const value of ["0", "10001", "x"]) {
    assert.equal((await s3.call({ target: `/?max-buckets=${value}` })).code, "InvalidArgument");
  }
});

test("lists buckets of one region, and tells the region where pages are asked for", async () => {
  const prefix = newBucketName();
  const made = new Map([
    [`${prefix}-here`, cluster.region],
    [`${prefix}-there`, "eu-central-1"],
  ]);
  for (const [bucket, region] of made) {
    const body = `<CreateBucketConfiguration><LocationConstraint>${region}</LocationConstraint></CreateBucketConfiguration>`;
    const answer = await s3.call({ method: "PUT", target: `/${bucket}`, body });
    assert.equal(answer.status, 200, answer.text);
    const head = await s3.call({ method: "HEAD", target: `/${bucket}` });
    assert.equal(head.headers.get("x-amz-bucket-region"), region);
  }
  for (const [query, names] of [
    [`prefix=${prefix}`, [...made.keys()]],
    [`prefix=${prefix}&bucket-region=eu-central-1`, [`${prefix}-there`]],
    [`prefix=${prefix}&bucket-region=nowhere-1`, []],
  ] as const) {
    const document = (await s3.call({ target: `/?${query}` })).xml();
    const list = document.children.find(({ name }) => name === "Buckets");
    assert.ok(list !== undefined);
    assert.deepEqual(textsOf(list, "Bucket", "Name"), names);
    const regions = names.map((name) => made.get(name));
    assert.deepEqual(textsOf(list, "Bucket", "BucketRegion"), regions);
    assert.equal(textAt(document, "Prefix"), prefix);
  }
  const all = (await s3.call({ target: "/" })).text;
  assert.ok(!all.includes("<BucketRegion>"));
  assert.equal((await s3.call({ target: "/?continuation-token=x" })).code, "InvalidArgument");
});

test("says NotImplemented to sub-resources it does not have", async () => {
  const bucket = await makeBucket(s3);
  const subresources = ["accelerate", "analytics", "intelligent-tiering", "inventory", "metrics"];
  for (const name of subresources) {
    for (const method of ["GET", "PUT", "DELETE"]) {
      const answer = await s3.call({ method, target: `/${bucket}?${name}` });
      assert.equal(answer.status, 501, `${method} ${name}`);
      assert.equal(answer.code, "NotImplemented");
    }
  }
  assert.equal((await s3.call({ method: "HEAD", target: `/${bucket}` })).status, 200);
  const wrong = await s3.call({ method: "PUT", target: `/${bucket}?location` });
  assert.equal(wrong.status, 405);
  assert.equal(wrong.code, "MethodNotAllowed");
  assert.equal((await s3.call({ method: "PUT", target: "/" })).status, 405);
});
