// Replication by the real keeper through a real gateway: what rules ask for arrives whole and in
// order, is shown for what it is, and never goes round in circles; what fails is told, and holds up
// nobody else.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketReplicationCommand,
  DeleteObjectCommand,
  GetBucketReplicationCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  ListObjectVersionsCommand,
  PutBucketReplicationCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  PutObjectTaggingCommand,
  type ReplicationRule,
  S3Client,
  type S3ClientConfig,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import type { S3Settings } from "../../../services/gateway/config.ts";
import { BucketCatalog } from "../../../services/keeper/buckets/bucket-catalog.ts";
import type { KeeperDeps } from "../../../services/keeper/deps.ts";
import { logMetrics } from "../../../services/keeper/logs/log-metrics.ts";
import { notifyMetrics } from "../../../services/keeper/notify/notify-metrics.ts";
import { OutboxSession } from "../../../services/keeper/outbox/outbox-session.ts";
import { ExistingVersions } from "../../../services/keeper/replicate/existing-versions.ts";
import { replicationMetrics } from "../../../services/keeper/replicate/replication-metrics.ts";
import { StoreError } from "../../../services/lib/base/errors.ts";
import type { HttpExchanger } from "../../../services/lib/ports/http-exchange.ts";
import { eventually } from "../../support/eventually.ts";
import { seededBytes } from "../../support/seeded-bytes.ts";
import { CLUSTER_KEY, ROOT_USER, startGatewayOver } from "../gateway/memory-gateway.ts";
import { NEVER, Rig } from "./rig.ts";

const TIMEOUT_MS = 60_000;
const HERE = "arn:aws:s3:::";
const MIB = 1024 * 1024;

interface Place {
  readonly rig: Rig;
  readonly s3: S3Client;
  readonly endpoint: string;
}

async function place(t: TestContext, changes: Partial<S3Settings> = {}): Promise<Place> {
  const rig = await Rig.open(t);
  const options = { clusterKey: CLUSTER_KEY, replicationTargets: ["away"] };
  const gateway = await startGatewayOver(rig.metadata, changes, options);
  t.after(() => gateway.stop());
  const endpoint = `http://127.0.0.1:${gateway.running.port}`;
  const s3 = clientOf(endpoint);
  t.after(() => s3.destroy());
  return { rig, s3, endpoint };
}

function clientOf(endpoint: string, more: S3ClientConfig = {}): S3Client {
  const { accessKeyId, secret: secretAccessKey } = ROOT_USER;
  const credentials = { accessKeyId, secretAccessKey };
  return new S3Client({
    endpoint,
    region: "us-east-1",
    credentials,
    forcePathStyle: true,
    ...more,
  });
}

/** The keeper's part; ends with the test, or by `stop`. */
function startKeeper(
  t: TestContext,
  { rig, endpoint }: Place,
  more: Partial<KeeperDeps["replication"]> = {},
  exchanger: HttpExchanger = rig.deps.exchanger,
) {
  const { accessKeyId, secret: secretAccessKey } = ROOT_USER;
  const home = { endpoints: [endpoint], region: "us-east-1", accessKeyId, secretAccessKey };
  const away = { endpoint, region: "us-east-1", accessKeyId, secretAccessKey };
  const replication = { ...rig.deps.replication, ...home, targets: { away }, ...more };
  const deps = rig.with({ replication, exchanger });
  const session = new OutboxSession({
    deps,
    catalog: new BucketCatalog(deps),
    notifyMetrics: notifyMetrics(rig.metrics),
    logMetrics: logMetrics(rig.metrics),
    replicationMetrics: replicationMetrics(rig.metrics),
  });
  const end = new AbortController();
  const done = session.run(end.signal);
  const stop = async (): Promise<void> => {
    end.abort();
    await done;
  };
  t.after(stop);
  return { stop };
}

async function makeBucket({ s3 }: Place, Bucket: string): Promise<void> {
  await s3.send(new CreateBucketCommand({ Bucket }));
  const VersioningConfiguration = { Status: "Enabled" } as const;
  await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }));
}

const ruleTo = (bucket: string, more: Partial<ReplicationRule> = {}): ReplicationRule => ({
  ID: bucket,
  Priority: 1,
  Status: "Enabled",
  Filter: { Prefix: "" },
  DeleteMarkerReplication: { Status: "Disabled" },
  Destination: { Bucket: bucket.startsWith("arn:") ? bucket : `${HERE}${bucket}` },
  ...more,
});

async function replicate(
  { s3 }: Place,
  Bucket: string,
  ...Rules: ReplicationRule[]
): Promise<void> {
  const ReplicationConfiguration = { Role: "arn:aws:iam:::role/any", Rules };
  await s3.send(new PutBucketReplicationCommand({ Bucket, ReplicationConfiguration }));
}

/** Two buckets with versions, the first replicated to the second. */
async function pair(t: TestContext, more: Partial<ReplicationRule> = {}): Promise<Place> {
  const made = await place(t);
  for (const bucket of ["source", "copies"]) await makeBucket(made, bucket);
  await replicate(made, "source", ruleTo("copies", more));
  return made;
}

async function put({ s3 }: Place, Key: string, more: Partial<PutObjectCommandInput> = {}) {
  const input = { Bucket: "source", Key, Body: `body of ${Key}`, ...more };
  return s3.send(new PutObjectCommand(input));
}

async function head({ s3 }: Place, Bucket: string, Key: string): Promise<HeadObjectCommandOutput> {
  return s3.send(new HeadObjectCommand({ Bucket, Key, ChecksumMode: "ENABLED" }));
}

async function statusOf(made: Place, Key: string, Bucket = "source"): Promise<string | undefined> {
  return (await head(made, Bucket, Key)).ReplicationStatus;
}

async function untilStatus(made: Place, Key: string, wanted: string): Promise<void> {
  await eventually(`${Key} is ${wanted}`, TIMEOUT_MS, async () => {
    const status = await statusOf(made, Key);
    if (status === wanted) return true;
    throw new Error(`it is ${status}`);
  });
}

async function text({ s3 }: Place, Bucket: string, Key: string): Promise<string | undefined> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }));
  return Body?.transformToString();
}

async function versionsOf({ s3 }: Place, Bucket: string) {
  const { Versions = [], DeleteMarkers = [] } = await s3.send(
    new ListObjectVersionsCommand({ Bucket }),
  );
  return { versions: Versions, markers: DeleteMarkers };
}

async function waiting({ rig }: Place): Promise<number> {
  let count = 0;
  for (const groupId of rig.view.indexGroups()) {
    const kind = { case: "listOutbox", value: { afterSequence: 0n, limit: 1000 } } as const;
    count += (await rig.query(groupId, kind)).entries.length;
  }
  return count;
}

async function untilQuiet(made: Place): Promise<void> {
  await eventually("the outboxes are empty", TIMEOUT_MS, async () =>
    (await waiting(made)) === 0 ? true : undefined,
  );
}

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
  await put(made, "empty", { Body: "" });
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

test("a refused version has failed in the end, and holds up no other", async (t) => {
  const made = await pair(t);
  const refusing: HttpExchanger = {
    ...made.rig.deps.exchanger,
    exchange: async (request) => {
      const isBad = request.method === "PUT" && request.target.includes("bad");
      const headers = isBad ? { ...request.headers, Authorization: "none" } : request.headers;
      return made.rig.deps.exchanger.exchange({ ...request, headers });
    },
  };
  const { stop } = startKeeper(t, made, { attemptsMax: 2 }, refusing);
  await put(made, "bad");
  await put(made, "good");
  await untilStatus(made, "good", "COMPLETED");
  await untilStatus(made, "bad", "FAILED");
  await untilQuiet(made);
  assert.deepEqual(
    (await versionsOf(made, "copies")).versions.map(({ Key }) => Key),
    ["good"],
  );
  await stop();
  const ExistingObjectReplication = { Status: "Enabled" } as const;
  await replicate(made, "source", ruleTo("copies", { ExistingObjectReplication }));
  const { deps } = made.rig;
  assert.equal(await new ExistingVersions(deps, new BucketCatalog(deps)).round(NEVER), 1);
  startKeeper(t, made);
  await untilStatus(made, "bad", "COMPLETED");
});

test("without a gateway or keys to read with everything waits, nothing fails", async (t) => {
  const made = await pair(t);
  await put(made, "a");
  const failures = `replication_failures_total{destination="${HERE}copies"}`;
  const tried = () => made.rig.metrics.values.get(failures) ?? 0;
  for (const lacking of [{ endpoints: [] }, { accessKeyId: "" }]) {
    const before = tried();
    const { stop } = startKeeper(t, made, { ...lacking, attemptsMax: 1 });
    await eventually("it was tried", TIMEOUT_MS, async () =>
      tried() > before + 2 ? true : undefined,
    );
    await stop();
    assert.equal(await statusOf(made, "a"), "PENDING");
  }
});

test("a destination that is away is waited for; a keeper that ends loses nothing", async (t) => {
  const made = await pair(t);
  let isAway = true;
  const gone: HttpExchanger = {
    ...made.rig.deps.exchanger,
    exchange: async (request) => {
      if (isAway && request.method === "PUT") throw new StoreError("unavailable", "away");
      return made.rig.deps.exchanger.exchange(request);
    },
  };
  const first = startKeeper(t, made, { attemptsMax: 1 }, gone);
  await put(made, "a");
  await eventually("it was tried", TIMEOUT_MS, async () => {
    const failures = `replication_failures_total{destination="${HERE}copies"}`;
    return (made.rig.metrics.values.get(failures) ?? 0) > 3 ? true : undefined;
  });
  assert.equal(await statusOf(made, "a"), "PENDING");
  await first.stop();
  isAway = false;
  startKeeper(t, made);
  await untilStatus(made, "a", "COMPLETED");
});

test("existing objects are brought up where a rule says so, current versions only", async (t) => {
  const made = await place(t);
  for (const bucket of ["source", "copies"]) await makeBucket(made, bucket);
  await put(made, "old/one", { Body: "first" });
  await put(made, "old/one", { Body: "second" });
  await put(made, "elsewhere");
  await put(made, "old/gone");
  await made.s3.send(new DeleteObjectCommand({ Bucket: "source", Key: "old/gone" }));
  const Filter = { Prefix: "old/" };
  await replicate(made, "source", ruleTo("copies", { Filter }));
  const existing = (): Promise<number> => {
    const deps = made.rig.deps;
    return new ExistingVersions(deps, new BucketCatalog(deps)).round(NEVER);
  };
  assert.equal(await existing(), 0, "not unless the rule says so");
  const ExistingObjectReplication = { Status: "Enabled" } as const;
  await replicate(made, "source", ruleTo("copies", { Filter, ExistingObjectReplication }));
  await put(made, "old/new");
  assert.equal(await existing(), 1);
  assert.equal(await existing(), 0, "once");
  assert.equal(await statusOf(made, "old/one"), "PENDING");
  startKeeper(t, made);
  await untilStatus(made, "old/one", "COMPLETED");
  await untilQuiet(made);
  const { versions } = await versionsOf(made, "copies");
  assert.deepEqual(
    versions.map(({ Key }) => Key),
    ["old/new", "old/one"],
  );
  assert.equal(await text(made, "copies", "old/one"), "second");
});

test("a version whose event was dropped is found when its group is quiet", async (t) => {
  const made = await pair(t);
  await put(made, "a");
  const { deps, clock } = made.rig;
  let drops = 0n;
  const metadata: KeeperDeps["metadata"] = {
    execute: (...args) => deps.metadata.execute(...args),
    query: async (...args) => {
      const answer = await deps.metadata.query(...args);
      if (args[1].case === "groupStats") Object.assign(answer, { outboxDropped: drops });
      return answer;
    },
  };
  const look = (): Promise<number> => {
    const changed = made.rig.with({ metadata });
    return new ExistingVersions(changed, new BucketCatalog(changed)).round(NEVER);
  };
  clock.shiftMs += 120_000;
  assert.equal(await look(), 0, "nothing was dropped");
  drops = 1n;
  assert.equal(await look(), 0, "its event still waits");
  for (const groupId of made.rig.view.indexGroups()) {
    const kind = { case: "listOutbox", value: { afterSequence: 0n, limit: 1000 } } as const;
    const { entries } = await made.rig.query(groupId, kind);
    const sequences = entries.map(({ sequence }) => sequence);
    await made.rig.execute(groupId, { case: "finishOutbox", value: { sequences } });
  }
  assert.equal(await look(), 1);
  assert.equal(await look(), 0, "its new event waits");
  startKeeper(t, made);
  await untilStatus(made, "a", "COMPLETED");
});

test("the setting is checked, kept, shown and taken away", async (t) => {
  const made = await place(t);
  const { s3 } = made;
  for (const bucket of ["source", "copies"]) await makeBucket(made, bucket);
  await s3.send(new CreateBucketCommand({ Bucket: "plain" }));
  const get = new GetBucketReplicationCommand({ Bucket: "source" });
  await assert.rejects(s3.send(get), { name: "ReplicationConfigurationNotFoundError" });
  for (const [bucket, rule, name] of [
    ["plain", ruleTo("copies"), "InvalidRequest"],
    ["source", ruleTo("plain"), "InvalidRequest"],
    ["source", ruleTo("missing"), "InvalidRequest"],
    ["source", ruleTo("source"), "InvalidRequest"],
    ["source", ruleTo("arn:dolium:replication:::unknown/copies"), "InvalidArgument"],
    ["source", ruleTo("arn:aws:s3:::NO"), "InvalidArgument"],
    [
      "source",
      ruleTo("copies", { Destination: { Bucket: `${HERE}copies`, StorageClass: "GLACIER" } }),
      "InvalidStorageClass",
    ],
  ] as const) {
    await assert.rejects(replicate(made, bucket, rule), { name });
  }
  await replicate(made, "source", ruleTo("copies"));
  const { ReplicationConfiguration } = await s3.send(get);
  assert.deepEqual(ReplicationConfiguration?.Rules, [ruleTo("copies")]);
  const suspend = new PutBucketVersioningCommand({
    Bucket: "source",
    VersioningConfiguration: { Status: "Suspended" },
  });
  await assert.rejects(s3.send(suspend), { name: "InvalidBucketState" });
  await s3.send(new DeleteBucketReplicationCommand({ Bucket: "source" }));
  await assert.rejects(s3.send(get), { name: "ReplicationConfigurationNotFoundError" });
  await put(made, "a");
  assert.equal(await statusOf(made, "a"), undefined);
  await s3.send(suspend);
});
