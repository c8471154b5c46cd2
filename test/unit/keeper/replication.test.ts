// Replication by the real keeper through a real gateway: what rules ask for arrives whole and in
// order, is shown for what it is, and never goes round in circles.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { seededBytes } from "../../support/seeded-bytes.ts";
import {
  clientOf,
  HERE,
  head,
  MIB,
  makeBucket,
  pair,
  place,
  put,
  replicate,
  ruleTo,
  startKeeper,
  statusOf,
  text,
  untilQuiet,
  untilStatus,
  versionsOf,
} from "./replication-rig.ts";

test("a version is pending, then completed, and its replica is like it", async (t) => {
  const made = await pair(t);
  await put(made, "a b/ä+?", {
    ContentType: "text/x-test",
    CacheControl: "no-store",
    ContentEncoding: "br",
    Metadata: { one: "1", two: "zwei" },
    Tagging: "k=v%20w&l=",
    StorageClass: "STANDARD_IA",
    ServerSideEncryption: "AES256",
    ChecksumAlgorithm: "SHA256",
  });
  await put(made, "empty", { Body: new Uint8Array(0) });
  assert.equal(await statusOf(made, "a b/ä+?"), "PENDING");
  startKeeper(t, made);
  await untilStatus(made, "a b/ä+?", "COMPLETED");
  await untilStatus(made, "empty", "COMPLETED");
  const [from, to] = [await head(made, "source", "a b/ä+?"), await head(made, "copies", "a b/ä+?")];
  assert.equal(to.ReplicationStatus, "REPLICA");
  for (const name of [
    "ETag",
    "ContentType",
    "CacheControl",
    "ContentEncoding",
    "ContentLength",
    "Metadata",
    "StorageClass",
    "TagCount",
    "ServerSideEncryption",
    "ChecksumSHA256",
  ] as const) {
    assert.deepEqual(to[name], from[name], name);
  }
  assert.equal(await text(made, "copies", "a b/ä+?"), "body of a b/ä+?");
  assert.equal(await text(made, "copies", "empty"), "");
  const target = { Bucket: "copies", Key: "a b/ä+?" };
  const { TagSet } = await made.s3.send(new GetObjectTaggingCommand(target));
  assert.deepEqual(TagSet, [
    { Key: "k", Value: "v w" },
    { Key: "l", Value: "" },
  ]);
  await untilQuiet(made);
  const copied = made.rig.metrics.values.get(
    `replication_replicated_total{destination="${HERE}copies"}`,
  );
  assert.equal(copied, 2);
});

test("rules choose by prefix and tags, and where to; the rest has no status", async (t) => {
  const made = await place(t);
  for (const bucket of ["source", "copies", "others"]) await makeBucket(made, bucket);
  const And = { Prefix: "docs/", Tags: [{ Key: "go", Value: "far" }] };
  await replicate(
    made,
    "source",
    ruleTo("copies", { Filter: { Prefix: "docs/" }, Priority: 1 }),
    ruleTo("others", { Filter: { And }, Priority: 2 }),
    ruleTo("off", { Status: "Disabled", Priority: 3, Destination: { Bucket: `${HERE}others` } }),
  );
  startKeeper(t, made);
  await put(made, "docs/one");
  await put(made, "docs/both", { Tagging: "go=far" });
  await put(made, "elsewhere", { Tagging: "go=far" });
  await untilStatus(made, "docs/one", "COMPLETED");
  await untilStatus(made, "docs/both", "COMPLETED");
  assert.equal(await statusOf(made, "elsewhere"), undefined);
  const keysIn = async (bucket: string) =>
    (await versionsOf(made, bucket)).versions.map(({ Key }) => Key);
  assert.deepEqual(await keysIn("copies"), ["docs/both", "docs/one"]);
  assert.deepEqual(await keysIn("others"), ["docs/both"]);
});

test("versions of a key arrive in order, each once; delete markers when asked", async (t) => {
  const made = await pair(t, { DeleteMarkerReplication: { Status: "Enabled" } });
  for (let number = 0; number < 20; number += 1) {
    await put(made, `key-${number % 3}`, { Body: `${number}` });
  }
  const marker = await made.s3.send(new DeleteObjectCommand({ Bucket: "source", Key: "key-0" }));
  assert.ok(marker.DeleteMarker);
  startKeeper(t, made);
  await untilQuiet(made);
  const { versions, markers } = await versionsOf(made, "copies");
  assert.equal(versions.length, 20);
  assert.deepEqual(
    markers.map(({ Key, IsLatest }) => [Key, IsLatest]),
    [["key-0", true]],
  );
  for (const number of [17, 19]) {
    assert.equal(await text(made, "copies", `key-${number % 3}`), `${number}`);
  }
  const order = async (bucket: string) => {
    const found = (await versionsOf(made, bucket)).versions.filter(({ Key }) => Key === "key-1");
    return Promise.all(
      found.map(async ({ VersionId }) => {
        const { Body } = await made.s3.send(
          new GetObjectCommand({ Bucket: bucket, Key: "key-1", VersionId }),
        );
        return Body?.transformToString();
      }),
    );
  };
  assert.deepEqual(await order("copies"), await order("source"));
});

test("two buckets that replicate to each other do not go round in circles", async (t) => {
  const made = await place(t);
  for (const bucket of ["source", "copies"]) await makeBucket(made, bucket);
  const markers = { DeleteMarkerReplication: { Status: "Enabled" } } as const;
  await replicate(made, "source", ruleTo("copies", markers));
  await replicate(made, "copies", ruleTo("source", markers));
  startKeeper(t, made);
  await put(made, "from-source");
  await put(made, "from-copies", { Bucket: "copies" });
  await made.s3.send(new DeleteObjectCommand({ Bucket: "source", Key: "gone" }));
  await untilQuiet(made);
  for (const bucket of ["source", "copies"]) {
    const { versions, markers: laid } = await versionsOf(made, bucket);
    assert.deepEqual(
      versions.map(({ Key }) => Key),
      ["from-copies", "from-source"],
      bucket,
    );
    assert.equal(laid.length, 1, bucket);
  }
  assert.equal(await statusOf(made, "from-source"), "COMPLETED");
  assert.equal(await statusOf(made, "from-source", "copies"), "REPLICA");
});

test("a body in parts keeps entity tag, checksum and parts; sealed ones arrive plain", async (t) => {
  const made = await pair(t);
  const target = { Bucket: "source", Key: "parts" };
  const { UploadId } = await made.s3.send(
    new CreateMultipartUploadCommand({
      ...target,
      ChecksumAlgorithm: "CRC32C",
      ServerSideEncryption: "AES256",
      Metadata: { a: "b" },
    }),
  );
  const Parts = [];
  for (const PartNumber of [1, 3]) {
    const Body = seededBytes(`part ${PartNumber}`, PartNumber === 1 ? 5 * MIB : 77_777);
    const part = { ...target, UploadId, PartNumber, Body, ChecksumAlgorithm: "CRC32C" as const };
    const { ETag, ChecksumCRC32C } = await made.s3.send(new UploadPartCommand(part));
    Parts.push({ PartNumber, ETag, ChecksumCRC32C });
  }
  await made.s3.send(
    new CompleteMultipartUploadCommand({ ...target, UploadId, MultipartUpload: { Parts } }),
  );
  startKeeper(t, made);
  await untilStatus(made, "parts", "COMPLETED");
  const [from, to] = [await head(made, "source", "parts"), await head(made, "copies", "parts")];
  for (const name of ["ETag", "ContentLength", "ChecksumCRC32C", "Metadata"] as const) {
    assert.deepEqual(to[name], from[name], name);
  }
  assert.equal(to.ReplicationStatus, "REPLICA");
  const { Body } = await made.s3.send(new GetObjectCommand({ Bucket: "copies", Key: "parts" }));
  const bytes = await Body?.transformToByteArray();
  const whole = Buffer.concat([seededBytes("part 1", 5 * MIB), seededBytes("part 3", 77_777)]);
  assert.ok(whole.equals(Buffer.from(bytes ?? [])));
});

test("tags that change later change at the replica; a target of another name works alike", async (t) => {
  const made = await place(t);
  for (const bucket of ["source", "copies"]) await makeBucket(made, bucket);
  const arn = "arn:dolium:replication:::away/copies";
  const Destination = { Bucket: arn, StorageClass: "STANDARD_IA" } as const;
  await replicate(made, "source", ruleTo(arn, { Destination }));
  startKeeper(t, made);
  await put(made, "a", { Tagging: "k=v" });
  await untilStatus(made, "a", "COMPLETED");
  assert.equal((await head(made, "copies", "a")).StorageClass, "STANDARD_IA");
  const Tagging = { TagSet: [{ Key: "n", Value: "w" }] };
  await made.s3.send(new PutObjectTaggingCommand({ Bucket: "source", Key: "a", Tagging }));
  await untilQuiet(made);
  const tagged = await made.s3.send(new GetObjectTaggingCommand({ Bucket: "copies", Key: "a" }));
  assert.deepEqual(tagged.TagSet, Tagging.TagSet);
});

test("locks go along; what a named key seals goes only where a rule says so", async (t) => {
  const made = await place(t);
  for (const Bucket of ["source", "copies"]) {
    await made.s3.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: true }));
  }
  const plain = clientOf(made.endpoint, { requestChecksumCalculation: "WHEN_REQUIRED" });
  t.after(() => plain.destroy());
  const sealed = { Bucket: "source", Body: "sealed", ServerSideEncryption: "aws:kms" as const };
  const { SSEKMSKeyId = "" } = await plain.send(new PutObjectCommand({ ...sealed, Key: "first" }));
  await replicate(made, "source", ruleTo("copies"));
  await plain.send(new PutObjectCommand({ ...sealed, Key: "stays" }));
  assert.equal(await statusOf(made, "stays"), undefined);
  const SourceSelectionCriteria = { SseKmsEncryptedObjects: { Status: "Enabled" as const } };
  const EncryptionConfiguration = { ReplicaKmsKeyID: SSEKMSKeyId };
  const Destination = { Bucket: `${HERE}copies`, EncryptionConfiguration };
  await replicate(made, "source", ruleTo("copies", { SourceSelectionCriteria, Destination }));
  // Without a checksum, and with an entity tag that says nothing of the bytes.
  await plain.send(new PutObjectCommand({ ...sealed, Key: "goes" }));
  const ObjectLockRetainUntilDate = new Date(Date.now() + 3_600_000);
  await put(made, "locked", { ObjectLockMode: "GOVERNANCE", ObjectLockRetainUntilDate });
  await put(made, "held", { ObjectLockLegalHoldStatus: "ON" });
  startKeeper(t, made);
  for (const key of ["goes", "locked", "held"]) await untilStatus(made, key, "COMPLETED");
  assert.equal(await text(made, "copies", "goes"), "sealed");
  assert.equal((await head(made, "copies", "goes")).SSEKMSKeyId, SSEKMSKeyId);
  for (const key of ["locked", "held"]) {
    const [from, to] = [await head(made, "source", key), await head(made, "copies", key)];
    assert.equal(to.ObjectLockMode, from.ObjectLockMode);
    assert.deepEqual(to.ObjectLockRetainUntilDate, from.ObjectLockRetainUntilDate);
    assert.equal(to.ObjectLockLegalHoldStatus, from.ObjectLockLegalHoldStatus);
  }
});
