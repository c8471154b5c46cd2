// The AWS SDK for JavaScript against what stands beside objects: versions, tags, lists, locks,
// attributes, appending and renaming, forms of answers as its parsers want them.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  DeleteObjectTaggingCommand,
  GetObjectAclCommand,
  GetObjectAttributesCommand,
  GetObjectCommand,
  GetObjectLegalHoldCommand,
  GetObjectRetentionCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectAclCommand,
  PutObjectCommand,
  PutObjectLegalHoldCommand,
  PutObjectRetentionCommand,
  PutObjectTaggingCommand,
  RenameObjectCommand,
  RestoreObjectCommand,
  S3Client,
  S3ServiceException,
} from "@aws-sdk/client-s3";
import { newBucketName, startCluster, type TestCluster } from "./harness.ts";

let cluster: TestCluster;
let client: S3Client;

before(async () => {
  cluster = await startCluster();
  const { endpoint, region, accessKeyId, secretAccessKey } = cluster;
  client = new S3Client({
    endpoint,
    region,
    credentials: { accessKeyId, secretAccessKey },
    forcePathStyle: true,
    maxAttempts: 1,
  });
});
after(async () => {
  client.destroy();
  await cluster.stop();
});

async function makeBucket(options: { lock?: boolean; lists?: boolean } = {}): Promise<string> {
  const Bucket = newBucketName();
  await client.send(
    new CreateBucketCommand({
      Bucket,
      ...(options.lock === true ? { ObjectLockEnabledForBucket: true } : {}),
      ...(options.lists === true ? { ObjectOwnership: "ObjectWriter" as const } : {}),
    }),
  );
  return Bucket;
}

async function refusal(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof S3ServiceException, String(error));
    return error.name;
  }
  return "none";
}

test("versions are written, listed, read, marked and deleted", async () => {
  const Bucket = await makeBucket();
  const VersioningConfiguration = { Status: "Enabled" } as const;
  await client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }));
  const Key = "päth/key";
  const first = await client.send(new PutObjectCommand({ Bucket, Key, Body: "one" }));
  const second = await client.send(new PutObjectCommand({ Bucket, Key, Body: "two" }));
  const VersionId = first.VersionId ?? "";
  const old = await client.send(new GetObjectCommand({ Bucket, Key, VersionId }));
  assert.equal(await old.Body?.transformToString(), "one");
  const marked = await client.send(new DeleteObjectCommand({ Bucket, Key }));
  assert.equal(marked.DeleteMarker, true);
  const listed = await client.send(new ListObjectVersionsCommand({ Bucket }));
  assert.deepEqual(
    listed.Versions?.map((version) => version.VersionId),
    [second.VersionId, first.VersionId],
  );
  const markers = listed.DeleteMarkers ?? [];
  assert.equal(markers[0]?.VersionId, marked.VersionId);
  assert.ok(markers[0]?.Owner?.ID);
  const all = [...(listed.Versions ?? []), ...markers];
  const Objects = all.map((one) => ({ Key, VersionId: one.VersionId ?? "" }));
  const gone = await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
  assert.equal(gone.Deleted?.length, 3);
  assert.equal(gone.Errors, undefined);
});

test("tags and lists are put, got and copied", async () => {
  const Bucket = await makeBucket({ lists: true });
  const Key = "key";
  await client.send(new PutObjectCommand({ Bucket, Key, Body: "x", Tagging: "a=1&b=%C3%BC" }));
  const read = await client.send(new GetObjectTaggingCommand({ Bucket, Key }));
  assert.deepEqual(read.TagSet, [
    { Key: "a", Value: "1" },
    { Key: "b", Value: "ü" },
  ]);
  const Tagging = { TagSet: [{ Key: "c", Value: "3" }] };
  await client.send(new PutObjectTaggingCommand({ Bucket, Key, Tagging }));
  const CopySource = `${Bucket}/${Key}`;
  await client.send(new CopyObjectCommand({ Bucket, Key: "copy", CopySource }));
  const copied = await client.send(new HeadObjectCommand({ Bucket, Key: "copy" }));
  assert.equal(copied.TagCount, 1);
  await client.send(new DeleteObjectTaggingCommand({ Bucket, Key }));
  assert.deepEqual((await client.send(new GetObjectTaggingCommand({ Bucket, Key }))).TagSet, []);
  await client.send(new PutObjectAclCommand({ Bucket, Key, GrantRead: 'id="friend"' }));
  const list = await client.send(new GetObjectAclCommand({ Bucket, Key }));
  assert.deepEqual(
    list.Grants?.map(({ Grantee, Permission }) => [Grantee?.Type, Grantee?.ID, Permission]),
    [["CanonicalUser", "friend", "READ"]],
  );
});

test("locks keep versions until they are lifted", async () => {
  const Bucket = await makeBucket({ lock: true });
  const Key = "key";
  const RetainUntilDate = new Date(Date.now() + 3_600_000);
  const put = await client.send(
    new PutObjectCommand({
      Bucket,
      Key,
      Body: "x",
      ObjectLockMode: "GOVERNANCE",
      ObjectLockRetainUntilDate: RetainUntilDate,
    }),
  );
  const VersionId = put.VersionId ?? "";
  const retention = await client.send(new GetObjectRetentionCommand({ Bucket, Key }));
  assert.equal(retention.Retention?.Mode, "GOVERNANCE");
  const head = await client.send(new HeadObjectCommand({ Bucket, Key }));
  assert.equal(head.ObjectLockMode, "GOVERNANCE");
  const remove = (BypassGovernanceRetention: boolean): Promise<unknown> =>
    client.send(new DeleteObjectCommand({ Bucket, Key, VersionId, BypassGovernanceRetention }));
  assert.equal(await refusal(remove(false)), "AccessDenied");
  const LegalHold = { Status: "ON" } as const;
  await client.send(new PutObjectLegalHoldCommand({ Bucket, Key, LegalHold }));
  const hold = await client.send(new GetObjectLegalHoldCommand({ Bucket, Key }));
  assert.equal(hold.LegalHold?.Status, "ON");
  assert.equal(await refusal(remove(true)), "AccessDenied");
  const off = { Bucket, Key, LegalHold: { Status: "OFF" } } as const;
  await client.send(new PutObjectLegalHoldCommand(off));
  const Retention = { Mode: "GOVERNANCE", RetainUntilDate: new Date(Date.now() + 60_000) } as const;
  const shorter = new PutObjectRetentionCommand({ Bucket, Key, Retention });
  assert.equal(await refusal(client.send(shorter)), "AccessDenied");
  assert.equal(await refusal(remove(true)), "none");
});

test("attributes, appending, renaming and restoring", async () => {
  const Bucket = await makeBucket();
  const Key = "log";
  await client.send(new PutObjectCommand({ Bucket, Key, Body: "one\n", WriteOffsetBytes: 0 }));
  const added = await client.send(
    new PutObjectCommand({ Bucket, Key, Body: "two\n", WriteOffsetBytes: 4 }),
  );
  assert.equal(added.Size, 8);
  const late = new PutObjectCommand({ Bucket, Key, Body: "x", WriteOffsetBytes: 4 });
  assert.equal(await refusal(client.send(late)), "InvalidWriteOffset");
  await client.send(new RenameObjectCommand({ Bucket, Key: "renamed", RenameSource: Key }));
  const got = await client.send(new GetObjectCommand({ Bucket, Key: "renamed" }));
  assert.equal(await got.Body?.transformToString(), "one\ntwo\n");
  assert.equal(await refusal(client.send(new GetObjectCommand({ Bucket, Key }))), "NoSuchKey");
  const attributes = await client.send(
    new GetObjectAttributesCommand({
      Bucket,
      Key: "renamed",
      ObjectAttributes: ["ETag", "ObjectSize", "StorageClass"],
    }),
  );
  assert.equal(attributes.ObjectSize, 8);
  assert.equal(attributes.StorageClass, "STANDARD");
  const restore = new RestoreObjectCommand({ Bucket, Key: "renamed", RestoreRequest: { Days: 1 } });
  assert.equal(await refusal(client.send(restore)), "InvalidObjectState");
});
