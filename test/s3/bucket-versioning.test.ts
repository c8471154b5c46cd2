// Versioning and object lock of buckets: when they are set, every group keeps versions at once.
// Actions: PutBucketVersioning, GetBucketVersioning, PutObjectLockConfiguration,
// GetObjectLockConfiguration.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Versioning } from "../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import { startGatewayOver } from "../unit/gateway/memory-gateway.ts";
import { Caller, pathOf, textAt } from "./caller.ts";
import { callerOf, makeBucket, newBucketName, startCluster, type TestCluster } from "./harness.ts";
import { StateMetadata } from "./state-metadata.ts";

let cluster: TestCluster;
let s3: Caller;

before(async () => {
  cluster = await startCluster();
  s3 = new Caller(cluster);
});
after(() => cluster.stop());

function versioning(status: string): string {
  return `<VersioningConfiguration><Status>${status}</Status></VersioningConfiguration>`;
}

const LOCK =
  "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule>" +
  "<DefaultRetention><Mode>GOVERNANCE</Mode><Days>3</Days></DefaultRetention></Rule>" +
  "</ObjectLockConfiguration>";

async function statusOf(bucket: string): Promise<string | undefined> {
  return textAt((await s3.call({ target: `/${bucket}?versioning` })).xml(), "Status");
}

async function makeLocked(): Promise<string> {
  const bucket = newBucketName();
  const headers = [["x-amz-bucket-object-lock-enabled", "true"]] as const;
  const made = await s3.call({ method: "PUT", target: `/${bucket}`, headers });
  assert.equal(made.status, 200, made.text);
  return bucket;
}

test("versioning is enabled and suspended, and takes effect with the answer", async () => {
  const bucket = await makeBucket(s3);
  assert.equal(await statusOf(bucket), undefined);
  const target = `/${bucket}?versioning`;
  const enabled = await s3.call({ method: "PUT", target, body: versioning("Enabled") });
  assert.equal(enabled.status, 200, enabled.text);
  assert.equal(await statusOf(bucket), "Enabled");
  const ids = new Set<string | undefined>();
  for (const key of ["a", "a", "z", "z"]) {
    ids.add((await s3.put(bucket, key, key)).headers.get("x-amz-version-id"));
  }
  assert.equal(ids.size, 4);
  assert.ok(!ids.has(undefined));
  await s3.call({ method: "PUT", target, body: versioning("Suspended") });
  assert.equal(await statusOf(bucket), "Suspended");
  const put = await s3.put(bucket, "a", "null");
  assert.equal(put.headers.get("x-amz-version-id"), "null");
});

for (const [what, body, code] of [
  ["without status", "<VersioningConfiguration/>", "IllegalVersioningConfigurationException"],
  ["with an unknown status", versioning("On"), "MalformedXML"],
  ["of another kind", "<Versioning/>", "MalformedXML"],
  [
    "with MFA delete",
    "<VersioningConfiguration><Status>Enabled</Status><MfaDelete>Enabled</MfaDelete>" +
      "</VersioningConfiguration>",
    "NotImplemented",
  ],
] as const) {
  test(`refuses a versioning document ${what}`, async () => {
    const bucket = await makeBucket(s3);
    const answer = await s3.call({ method: "PUT", target: `/${bucket}?versioning`, body });
    assert.equal(answer.code, code);
    assert.equal(await statusOf(bucket), undefined);
  });
}

test("refuses x-amz-mfa instead of ignoring it", async () => {
  const bucket = await makeBucket(s3);
  const headers = [["x-amz-mfa", "SERIAL 123456"]] as const;
  const body = versioning("Enabled");
  const answer = await s3.call({ method: "PUT", target: `/${bucket}?versioning`, headers, body });
  assert.equal(answer.code, "NotImplemented");
});

test("a bucket made with object lock keeps versions for good", async () => {
  const bucket = await makeLocked();
  assert.equal(await statusOf(bucket), "Enabled");
  assert.match((await s3.put(bucket, "k", "x")).headers.get("x-amz-version-id") ?? "", /^[0-9a-f]/);
  const target = `/${bucket}?versioning`;
  const suspended = await s3.call({ method: "PUT", target, body: versioning("Suspended") });
  assert.equal(suspended.status, 409);
  assert.equal(suspended.code, "InvalidBucketState");
  assert.equal(await statusOf(bucket), "Enabled");
});

test("object lock shows its default retention, and new versions get it", async () => {
  const bucket = await makeLocked();
  const target = `/${bucket}?object-lock`;
  const bare = (await s3.call({ target })).xml();
  assert.equal(textAt(bare, "ObjectLockEnabled"), "Enabled");
  assert.equal(textAt(bare, "Rule", "DefaultRetention", "Mode"), undefined);
  const set = await s3.call({ method: "PUT", target, body: LOCK });
  assert.equal(set.status, 200, set.text);
  const shown = (await s3.call({ target })).xml();
  assert.equal(textAt(shown, "Rule", "DefaultRetention", "Mode"), "GOVERNANCE");
  assert.equal(textAt(shown, "Rule", "DefaultRetention", "Days"), "3");
  const put = await s3.put(bucket, "kept", "x");
  const versionId = put.headers.get("x-amz-version-id") ?? "";
  const gone = await s3.call({
    method: "DELETE",
    target: `${pathOf(bucket, "kept")}?versionId=${versionId}`,
  });
  assert.equal(gone.code, "AccessDenied");
});

test("object lock needs versioning, and a bucket without it says so", async () => {
  const bucket = await makeBucket(s3);
  const target = `/${bucket}?object-lock`;
  const missing = await s3.call({ target });
  assert.equal(missing.status, 404);
  assert.equal(missing.code, "ObjectLockConfigurationNotFoundError");
  const refused = await s3.call({ method: "PUT", target, body: LOCK });
  assert.equal(refused.code, "InvalidBucketState");
  await s3.call({ method: "PUT", target: `/${bucket}?versioning`, body: versioning("Enabled") });
  assert.equal((await s3.call({ method: "PUT", target, body: LOCK })).status, 200);
});

test("refuses a lock header that is neither true nor false", async () => {
  const headers = [["x-amz-bucket-object-lock-enabled", "yes"]] as const;
  const target = `/${newBucketName()}`;
  assert.equal((await s3.call({ method: "PUT", target, headers })).code, "InvalidArgument");
});

test("reading the versioning mends groups that a dead gateway left behind", async () => {
  const metadata = await StateMetadata.open();
  const gateway = await startGatewayOver(metadata);
  try {
    const own = callerOf(gateway);
    const bucket = await makeBucket(own);
    const { bucket: record } = await metadata.query<"getBucket">(1, {
      case: "getBucket",
      value: { name: bucket },
    });
    assert.ok(record !== undefined);
    // What such a gateway did: the record changed, the groups were not told.
    const value = { name: bucket, bucketId: record.bucketId, versioning: Versioning.ENABLED };
    await metadata.execute(1, { case: "changeBucket", value });
    assert.equal((await own.put(bucket, "k", "1")).headers.get("x-amz-version-id"), undefined);
    await own.call({ target: `/${bucket}?versioning` });
    assert.match(
      (await own.put(bucket, "k", "2")).headers.get("x-amz-version-id") ?? "",
      /^[0-9a-f]{32}$/,
    );
  } finally {
    await gateway.stop();
    await metadata.close();
  }
});
