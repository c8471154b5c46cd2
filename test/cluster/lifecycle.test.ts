// Lifecycle rules in a running cluster whose day lasts two seconds: objects, old versions and
// uploads go when they are due, their shards after them; a locked version outlives its rule, its
// overwrite, its delete and the garbage.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import {
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  type LifecycleRule,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutBucketLifecycleConfigurationCommand,
  PutObjectCommand,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { eventually } from "../support/eventually.ts";
import { LocalCluster } from "../support/local-cluster.ts";
import { seededBytes, sha256Hex } from "../support/seeded-bytes.ts";
import { readStatus } from "../support/status.ts";

const MIB = 1024 * 1024;
const TIMEOUT_MS = 60_000;
let root: string;
let cluster: LocalCluster;

async function shardCount(): Promise<number> {
  const { nodes } = await readStatus(cluster);
  const disks = nodes.flatMap((node) => node.disks ?? []);
  return disks.reduce((sum, disk) => sum + disk.shardCount, 0);
}

async function untilShards(what: string, wanted: number): Promise<void> {
  await eventually(what, TIMEOUT_MS, async () => {
    const count = await shardCount();
    if (count === wanted) return true;
    throw new Error(`${count} shards`);
  });
}

async function setRules(bucket: string, rules: LifecycleRule[]): Promise<void> {
  const LifecycleConfiguration = { Rules: rules };
  const input = { Bucket: bucket, LifecycleConfiguration };
  await cluster.s3().send(new PutBucketLifecycleConfigurationCommand(input));
}

async function keys(bucket: string): Promise<(string | undefined)[]> {
  const { Contents = [] } = await cluster.s3().send(new ListObjectsV2Command({ Bucket: bucket }));
  return Contents.map(({ Key }) => Key);
}

before(async () => {
  root = mkdtempSync(join(tmpdir(), "dolium-lifecycle-"));
  const disks = [1, 2, 3, 4, 5, 6].map((number) => join(root, `disk-${number}`));
  cluster = await LocalCluster.start({
    args: ["server", ...disks],
    dataDir: disks[0] ?? "",
    environment: {
      DOLIUM_LIFECYCLE__DAY_SECONDS: "2",
      DOLIUM_LIFECYCLE__INTERVAL_MS: "300",
      DOLIUM_KEEPER__INTERVAL_MS: "200",
      DOLIUM_KEEPER__GARBAGE_DELAY_MS: "0",
    },
  });
});

after(async () => {
  await cluster?.stop();
  rmSync(root, { recursive: true, force: true });
});

test("objects and uploads under a prefix expire, and their shards go", async () => {
  const Bucket = "expiring";
  const s3 = cluster.s3();
  await s3.send(new CreateBucketCommand({ Bucket }));
  const Filter = { Prefix: "tmp/" };
  await setRules(Bucket, [
    { ID: "objects", Filter, Status: "Enabled", Expiration: { Days: 1 } },
    {
      ID: "uploads",
      Filter,
      Status: "Enabled",
      AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 },
    },
    { ID: "off", Filter: { Prefix: "" }, Status: "Disabled", Expiration: { Days: 1 } },
  ]);
  for (const Key of ["tmp/a", "tmp/b", "kept"]) {
    await s3.send(new PutObjectCommand({ Bucket, Key, Body: seededBytes(Key, MIB) }));
  }
  const upload = { Bucket, Key: "tmp/upload" };
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand(upload));
  const part = { ...upload, UploadId, PartNumber: 1, Body: seededBytes("part", MIB) };
  await s3.send(new UploadPartCommand(part));
  await eventually("only what is kept is left", TIMEOUT_MS, async () => {
    const left = await s3.send(new ListMultipartUploadsCommand({ Bucket }));
    const names = await keys(Bucket);
    return names.join() === "kept" && (left.Uploads ?? []).length === 0 ? true : undefined;
  });
  await untilShards("six shards of one object", 6);
});

test("a locked version survives rule, overwrite, delete and garbage; its free sisters go", async () => {
  const Bucket = "locked";
  const target = { Bucket, Key: "contract" };
  const s3 = cluster.s3();
  await s3.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: true }));
  const bytes = seededBytes("the contract", MIB);
  const { VersionId } = await s3.send(
    new PutObjectCommand({
      ...target,
      Body: bytes,
      ObjectLockMode: "COMPLIANCE",
      ObjectLockRetainUntilDate: new Date(Date.now() + 3_600_000),
    }),
  );
  assert.ok(VersionId !== undefined);
  for (const text of ["second", "third"]) {
    await s3.send(new PutObjectCommand({ ...target, Body: seededBytes(text, MIB) }));
  }
  await s3.send(new DeleteObjectCommand(target));
  const removal = new DeleteObjectCommand({ ...target, VersionId });
  await assert.rejects(s3.send(removal), { name: "AccessDenied" });
  const bypass = { ...target, VersionId, BypassGovernanceRetention: true };
  await assert.rejects(s3.send(new DeleteObjectCommand(bypass)), { name: "AccessDenied" });
  await setRules(Bucket, [
    {
      ID: "old",
      Filter: { Prefix: "" },
      Status: "Enabled",
      Expiration: { ExpiredObjectDeleteMarker: true },
      NoncurrentVersionExpiration: { NoncurrentDays: 1 },
    },
  ]);
  await eventually("only the locked version is left", TIMEOUT_MS, async () => {
    const { Versions = [] } = await s3.send(new ListObjectVersionsCommand({ Bucket }));
    return Versions.length === 1 && Versions[0]?.VersionId === VersionId ? true : undefined;
  });
  await untilShards("six of the locked and six of the kept", 12);
  // Further passes and rounds of garbage find nothing to do.
  await s3.send(new PutObjectCommand({ Bucket: "expiring", Key: "tmp/probe", Body: "x" }));
  await eventually("another pass is over", TIMEOUT_MS, async () =>
    (await keys("expiring")).join() === "kept" ? true : undefined,
  );
  const { Body } = await s3.send(new GetObjectCommand({ ...target, VersionId }));
  const read = (await Body?.transformToByteArray()) ?? new Uint8Array(0);
  assert.equal(sha256Hex(read), sha256Hex(bytes));
  const { DeleteMarkers = [] } = await s3.send(new ListObjectVersionsCommand({ Bucket }));
  assert.equal(DeleteMarkers.length, 1, "the marker hides a version: it stays");
});
