// The replication setting of a bucket over raw HTTP, who may set it up, and writes that bring a
// replica. Actions: PutBucketReplication, GetBucketReplication, DeleteBucketReplication. What the
// keeper does with it is in test/unit/keeper and test/cluster.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Caller, pathOf, textAt } from "./caller.ts";
import { makeBucket, makeVersionedBucket, startCluster, type TestCluster } from "./harness.ts";

let cluster: TestCluster;
let s3: Caller;

before(async () => {
  cluster = await startCluster();
  s3 = new Caller(cluster);
});
after(() => cluster.stop());

const MARKERS = "<DeleteMarkerReplication><Status>Enabled</Status></DeleteMarkerReplication>";

function rule(destination: string, id = "one"): string {
  return (
    `<Rule><ID>${id}</ID><Priority>1</Priority><Filter><Prefix>go/</Prefix></Filter>` +
    `<Status>Enabled</Status>${MARKERS}` +
    `<Destination><Bucket>arn:aws:s3:::${destination}</Bucket></Destination></Rule>`
  );
}

const documentOf = (...rules: readonly string[]): string =>
  `<ReplicationConfiguration><Role>any</Role>${rules.join("")}</ReplicationConfiguration>`;

function put(bucket: string, body: string, caller = s3): ReturnType<Caller["call"]> {
  return caller.call({ method: "PUT", target: `/${bucket}?replication`, body });
}

const statusOf = async (bucket: string, key: string): Promise<string | undefined> => {
  const answer = await s3.call({ method: "HEAD", target: pathOf(bucket, key) });
  return answer.headers.get("x-amz-replication-status");
};

async function write(bucket: string, key: string, headers: readonly [string, string][] = []) {
  return s3.call({ method: "PUT", target: pathOf(bucket, key), body: "x", headers });
}

test("a configuration is put, got and deleted", async () => {
  const [bucket, copies] = [await makeVersionedBucket(s3), await makeVersionedBucket(s3)];
  const target = `/${bucket}?replication`;
  const missing = await s3.call({ target });
  assert.equal(missing.status, 404);
  assert.equal(missing.code, "ReplicationConfigurationNotFoundError");
  assert.equal((await put(bucket, documentOf(rule(copies)))).status, 200);
  const got = (await s3.call({ target })).xml();
  assert.equal(got.name, "ReplicationConfiguration");
  assert.equal(textAt(got, "Rule", "Destination", "Bucket"), `arn:aws:s3:::${copies}`);
  assert.equal(textAt(got, "Rule", "DeleteMarkerReplication", "Status"), "Enabled");
  const suspend = "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>";
  const versioning = { method: "PUT", target: `/${bucket}?versioning`, body: suspend };
  assert.equal((await s3.call(versioning)).code, "InvalidBucketState");
  assert.equal((await s3.call({ method: "DELETE", target })).status, 204);
  assert.equal((await s3.call({ method: "DELETE", target })).status, 204, "twice");
  assert.equal((await s3.call({ target })).status, 404);
  assert.equal((await s3.call(versioning)).status, 200);
});

test("buckets without versions, missing and unfit destinations are refused", async () => {
  const [bucket, copies] = [await makeVersionedBucket(s3), await makeVersionedBucket(s3)];
  const [plain, locked] = [await makeBucket(s3), await makeVersionedBucket(s3, true)];
  for (const [source, body, code] of [
    [plain, documentOf(rule(copies)), "InvalidRequest"],
    [bucket, documentOf(rule(plain)), "InvalidRequest"],
    [bucket, documentOf(rule("not-there-at-all")), "InvalidRequest"],
    [bucket, documentOf(rule(bucket)), "InvalidRequest"],
    [locked, documentOf(rule(copies)), "InvalidRequest"],
    [bucket, documentOf(rule("NO")), "InvalidArgument"],
    [bucket, documentOf(), "MalformedXML"],
    [bucket, "<Replication/>", "MalformedXML"],
    ["not-there-at-all", documentOf(rule(copies)), "NoSuchBucket"],
  ] as const) {
    assert.equal((await put(source, body)).code, code, body);
  }
  assert.equal(
    (await put(locked, documentOf(rule(await makeVersionedBucket(s3, true))))).status,
    200,
  );
});

test("whoever sets it up must be allowed to write replicas at the destination", async (t) => {
  const { stranger } = cluster;
  if (stranger === undefined) {
    t.skip("the cluster has one user only");
    return;
  }
  const [theirs, ours] = [await makeVersionedBucket(stranger), await makeVersionedBucket(s3)];
  assert.equal((await put(theirs, documentOf(rule(ours)), stranger)).code, "AccessDenied");
  const own = await makeVersionedBucket(stranger);
  assert.equal((await put(theirs, documentOf(rule(own)), stranger)).status, 200);
  assert.equal((await put(ours, documentOf(rule(own)))).code, "AccessDenied", "nor the other way");
});

test("what rules want is PENDING at once; what brings a replica is one", async () => {
  const [bucket, copies] = [await makeVersionedBucket(s3), await makeVersionedBucket(s3)];
  await put(bucket, documentOf(rule(copies)));
  await write(bucket, "go/a");
  await write(bucket, "stays");
  await write(bucket, "go/replica", [["x-amz-replication-status", "REPLICA"]]);
  await write(bucket, "go/other", [["x-amz-replication-status", "COMPLETED"]]);
  assert.equal(await statusOf(bucket, "go/a"), "PENDING");
  assert.equal(await statusOf(bucket, "stays"), undefined);
  assert.equal(await statusOf(bucket, "go/replica"), "REPLICA");
  assert.equal(await statusOf(bucket, "go/other"), "PENDING", "clients cannot say that it is done");
  const copy = { "x-amz-copy-source": pathOf(bucket, "stays") };
  const headers = Object.entries(copy);
  await s3.call({ method: "PUT", target: pathOf(bucket, "go/copied"), headers });
  assert.equal(await statusOf(bucket, "go/copied"), "PENDING");
  const removed = await s3.call({
    method: "DELETE",
    target: pathOf(bucket, "go/a"),
    headers: [["x-amz-replication-status", "REPLICA"]],
  });
  assert.equal(removed.status, 204);
  assert.equal(removed.headers.get("x-amz-delete-marker"), "true");
});
