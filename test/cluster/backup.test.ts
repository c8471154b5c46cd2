// A cluster that lost every metadata directory is brought back from a backup: what the backup knows
// reads as it was written; what came later is found as orphans and stays until garbage is released.
import assert from "node:assert/strict";
import {
  closeSync,
  existsSync,
  fstatSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import {
  CreateBucketCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadBucketCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { jsonOfDolium, runDolium } from "../support/dolium-command.ts";
import { eventually } from "../support/eventually.ts";
import { LocalCluster } from "../support/local-cluster.ts";
import { seededBytes, sha256Hex } from "../support/seeded-bytes.ts";

const BUCKET = "kept";
const LATER = "later";
const WAIT_MS = 60_000;
const SHARDS_EACH = 3;
const SIZES = [0, 900, 30_000, 700_000, 5_000_000];
const ENVIRONMENT = {
  DOLIUM_KEEPER__INTERVAL_MS: "200",
  DOLIUM_KEEPER__GARBAGE_DELAY_MS: "0",
  DOLIUM_KEEPER__SWEEP_INTERVAL_MS: "300",
  DOLIUM_KEEPER__ORPHAN_GRACE_MS: "15000",
  DOLIUM_KEEPER__ORPHAN_QUARANTINE_MS: "500",
  // Rot is to be found by the call that looks for it.
  DOLIUM_KEEPER__VERIFY_READ_BACK_BYTES: "0",
  DOLIUM_STORAGE__SCRUB_PASS_MS_MIN: "3600000",
};

interface Status {
  readonly clusterId: string;
  readonly garbageFreeze: { readonly reason: string } | null;
  readonly verified: { readonly orphans?: { readonly atMs: number; readonly problems: number } };
  readonly nodes: readonly { readonly disks?: readonly { readonly shardCount: number }[] }[];
}

let root: string;
let dataDir: string;
let cluster: LocalCluster;
let backup: string;
let clusterId: string;
let shardsInBackup: number;

before(async () => {
  root = mkdtempSync(join(tmpdir(), "dolium-backup-"));
  dataDir = join(root, "data");
  cluster = await start(ENVIRONMENT);
});

after(async () => {
  await cluster?.stop();
  rmSync(root, { recursive: true, force: true });
});

function start(environment: Readonly<Record<string, string>>, s3Port?: number) {
  const given = s3Port === undefined ? {} : { s3Port };
  // Three metadata replicas, and shards on three storage nodes.
  const args = ["dev", "--storage", "3", "--gateways", "1"];
  return LocalCluster.start({ args, dataDir, environment, ...given });
}

/** Busy machines are answered "slow down" at first. */
function client(): S3Client {
  return cluster.s3(0, 20);
}

async function status(): Promise<Status> {
  // Shape by contract; a missing field fails the assertion that reads it.
  return (await cluster.status()) as unknown as Status;
}

function shardsOf({ nodes }: Status): number {
  const disks = nodes.flatMap((node) => node.disks ?? []);
  return disks.reduce((sum, disk) => sum + disk.shardCount, 0);
}

async function untilShards(wanted: number): Promise<void> {
  await eventually(`${wanted} shards`, WAIT_MS, async () => {
    const count = shardsOf(await status());
    if (count === wanted) return true;
    throw new Error(`${count} shards`);
  });
}

function dolium(...args: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
  return jsonOfDolium(args, { folder: root, environment: { DOLIUM_DATA: dataDir } });
}

async function put(bucket: string, key: string, size: number): Promise<void> {
  const Body = seededBytes(`${bucket}/${key}`, size);
  await client().send(new PutObjectCommand({ Bucket: bucket, Key: key, Body, Tagging: "a=b" }));
}

async function reads(bucket: string, key: string, size: number): Promise<void> {
  const { Body } = await client().send(new GetObjectCommand({ Bucket: bucket, Key: key }));
  const bytes = (await Body?.transformToByteArray()) ?? new Uint8Array(0);
  assert.equal(sha256Hex(bytes), sha256Hex(seededBytes(`${bucket}/${key}`, size)), key);
}

test("a backup of a running cluster is written once, and is whole", async () => {
  const s3 = client();
  await s3.send(new CreateBucketCommand({ Bucket: BUCKET }));
  const VersioningConfiguration = { Status: "Enabled" } as const;
  await s3.send(new PutBucketVersioningCommand({ Bucket: BUCKET, VersioningConfiguration }));
  await put(BUCKET, "object-1", 100);
  for (const size of SIZES) await put(BUCKET, `object-${size}`, size);
  const withShards = SIZES.filter((size) => size > 16_384).length;
  shardsInBackup = withShards * SHARDS_EACH;
  await untilShards(shardsInBackup);
  const done = await dolium("backup", "export", root);
  backup = String(done.path);
  clusterId = String(done.clusterId);
  assert.equal(clusterId, (await status()).clusterId);
  assert.equal((await dolium("backup", "verify", backup)).good, true);
  await assert.rejects(dolium("backup", "export", backup), /is there already/);
  assert.deepEqual(
    readdirSync(root).filter((name) => name.endsWith(".partial")),
    [],
  );
});

test("a cluster that is in use takes no backup", async () => {
  await assert.rejects(dolium("backup", "import", backup), /is in use/);
  assert.equal((await status()).garbageFreeze, null);
  await reads(BUCKET, "object-30000", 30_000);
});

test("empty metadata takes the backup; all of it reads as it was, garbage is frozen", async () => {
  await put(BUCKET, LATER, 1_000_000);
  await client().send(new CreateBucketCommand({ Bucket: "bucket-after" }));
  await put("bucket-after", LATER, 2_000_000);
  await untilShards(shardsInBackup + 2 * SHARDS_EACH);
  const directories = cluster.processes("metadata").map(({ dir }) => dir);
  const s3Port = Number(new URL(cluster.endpoints[0] ?? "").port);
  await cluster.stop();
  for (const directory of directories) {
    assert.ok(existsSync(directory));
    rmSync(directory, { recursive: true, force: true });
  }
  const environment = { ...ENVIRONMENT, DOLIUM_METADATA__AWAIT_IMPORT: "true" };
  // Nothing is ready before there is a cluster map.
  const starting = start(environment, s3Port);
  const imported = dolium("backup", "import", backup);
  const [started, done] = await Promise.allSettled([starting, imported]);
  if (started.status === "fulfilled") cluster = started.value;
  assert.equal(done.status, "fulfilled", String(done.status === "rejected" ? done.reason : ""));
  assert.equal(started.status, "fulfilled", String(started));
  const now = await status();
  assert.equal(now.clusterId, clusterId);
  assert.match(now.garbageFreeze?.reason ?? "", /restored from a backup/);
  for (const size of SIZES) await reads(BUCKET, `object-${size}`, size);
  const s3 = client();
  const { TagSet } = await s3.send(
    new GetObjectTaggingCommand({ Bucket: BUCKET, Key: "object-0" }),
  );
  assert.deepEqual(TagSet, [{ Key: "a", Value: "b" }]);
  const { Versions } = await s3.send(new ListObjectVersionsCommand({ Bucket: BUCKET }));
  assert.equal(Versions?.length, SIZES.length + 1);
  await assert.rejects(s3.send(new GetObjectCommand({ Bucket: BUCKET, Key: LATER })), {
    name: "NoSuchKey",
  });
  await assert.rejects(s3.send(new HeadBucketCommand({ Bucket: "bucket-after" })), {
    name: "NotFound",
  });
});

test("what came after the backup is found as orphans and stays until the release", async () => {
  const found = await eventually("a sweep tells of orphans", WAIT_MS, async () => {
    const { orphans } = (await status()).verified;
    if (orphans?.problems === 2 * SHARDS_EACH) return orphans;
    throw new Error(JSON.stringify(orphans));
  });
  await eventually("another pass, past the quarantine", WAIT_MS, async () => {
    const { orphans } = (await status()).verified;
    return (orphans?.atMs ?? 0) > found.atMs + 2000 ? true : undefined;
  });
  await untilShards(shardsInBackup + 2 * SHARDS_EACH);
  await put(BUCKET, "new", 800_000);
  await reads(BUCKET, "new", 800_000);
  const released = await dolium("repair", "garbage-release", "--yes");
  assert.equal(released.frozen, false);
  await untilShards(shardsInBackup + SHARDS_EACH);
  assert.equal((await status()).garbageFreeze, null);
  for (const size of SIZES) await reads(BUCKET, `object-${size}`, size);
});

test("everything verifies; a shard gone bad is found, read around, and repaired", async () => {
  const good = await dolium("verify", `s3://${BUCKET}`, "--deep");
  assert.deepEqual([good.versions, good.problems], [SIZES.length + 2, []]);
  assert.equal((await dolium("verify", `s3://${BUCKET}/object-700000`)).shards, SHARDS_EACH);
  await assert.rejects(dolium("verify", `s3://${BUCKET}/object`), /holds no object/);
  rot();
  const found = await failing("verify", `s3://${BUCKET}`, "--deep");
  assert.match(JSON.stringify(found.problems), /"condition":"corrupt"/);
  assert.doesNotMatch(JSON.stringify(found.problems), /"readable":false|"body":"(?!good)/);
  assert.ok(Number(found.chunksQueuedForRepair) > 0);
  await eventually("it is repaired", WAIT_MS, async () => {
    const now = await dolium("verify", `s3://${BUCKET}`, "--deep");
    return Array.isArray(now.problems) && now.problems.length === 0 ? true : undefined;
  });
});

/** Overwrites bytes of shards in the first segment of a disk. */
function rot(): void {
  const { dir } = cluster.process("storage-1");
  const files = readdirSync(dir, { recursive: true, encoding: "utf8" });
  const segment = files.filter((name) => name.endsWith(".seg")).sort()[0] ?? "";
  const path = join(dir, segment);
  const file = openSync(path, "r+");
  try {
    assert.ok(fstatSync(file).size > 200_000);
    writeSync(file, Buffer.alloc(4096, 0xa5), 0, 4096, 100_000);
  } finally {
    closeSync(file);
  }
}

/** As `dolium`, for a call that ends with exit code 1 and JSON. */
async function failing(...args: readonly string[]): Promise<Record<string, unknown>> {
  const environment = { DOLIUM_DATA: dataDir };
  const { code, stdout } = await runDolium([...args, "--json"], { folder: root, environment });
  assert.equal(code, 1, stdout);
  return JSON.parse(stdout) as Record<string, unknown>;
}

test("an import made again changes nothing; a backup cut short is refused", async () => {
  const again = await dolium("backup", "import", backup);
  assert.equal(again.imported, true);
  await reads(BUCKET, "new", 800_000);
  truncateSync(backup, 5000);
  await assert.rejects(dolium("backup", "verify", backup), /backup: /);
  await assert.rejects(dolium("backup", "import", backup), /backup: /);
});
