// A full disk: writes move elsewhere while other disks have room, reads and deletes go on, and the
// disk is used again when space returns. With no room anywhere the answer is a clear 507, and
// nothing is lost.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  PutObjectCommand,
  type S3Client,
  S3ServiceException,
} from "@aws-sdk/client-s3";
import { eventually } from "../support/eventually.ts";
import { LocalCluster } from "../support/local-cluster.ts";
import { seededBytes, sha256Hex } from "../support/seeded-bytes.ts";
import { cannotMount, mountSmall } from "../support/small-filesystem.ts";
import { readStatus } from "../support/status.ts";

const MIB = 1024 * 1024;
const BUCKET = "full";
/**
 * A quarter of each goes to each of the six nodes; one of these has room for some fifty of them. A
 * shard is about what has to come free before a disk is used again: larger ones would let it turn
 * full and back all the time.
 */
const OBJECT_MIB = 1;
const SMALL_DISK_MIB = 20;
const OBJECTS = 60;
const DELETED = 48;
const skip = cannotMount() ?? false;
const environment = {
  DOLIUM_KEEPER__GARBAGE_DELAY_MS: "0",
  DOLIUM_KEEPER__INTERVAL_MS: "200",
};

async function put(s3: S3Client, key: string, mebibytes: number): Promise<void> {
  const Body = seededBytes(key, mebibytes * MIB);
  await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: key, Body }));
}

async function verify(s3: S3Client, key: string, mebibytes: number): Promise<void> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: BUCKET, Key: key }));
  const read = (await Body?.transformToByteArray()) ?? new Uint8Array(0);
  assert.equal(sha256Hex(read), sha256Hex(seededBytes(key, mebibytes * MIB)), key);
}

async function diskStates(cluster: LocalCluster, node: string): Promise<string[]> {
  const { nodes } = await readStatus(cluster);
  return (nodes.find(({ name }) => name === node)?.disks ?? []).map((disk) => disk.state);
}

test("one disk of six is full: writes go elsewhere, space that returns is used again", {
  skip,
}, async (context) => {
  const root = mkdtempSync(join(tmpdir(), "dolium-full-"));
  const small = mountSmall(root, join(root, "data", "storage-1", "disk-1"), SMALL_DISK_MIB);
  context.after(() => {
    small.unmount();
    rmSync(root, { recursive: true, force: true });
  });
  const args = ["dev", "--gateways", "1", "--metadata", "1"];
  const cluster = await LocalCluster.start({ args, dataDir: join(root, "data"), environment });
  context.after(() => cluster.stop());
  const s3 = cluster.s3(0, 6);
  await s3.send(new CreateBucketCommand({ Bucket: BUCKET }));
  const keys = Array.from({ length: OBJECTS }, (_, at) => `object-${at}`);
  for (const key of keys) await put(s3, key, OBJECT_MIB);
  await eventually("the full disk is known", 60_000, async () =>
    (await diskStates(cluster, "storage-1")).includes("readonly") ? true : undefined,
  );
  for (const key of keys) await verify(s3, key, OBJECT_MIB);
  for (const key of keys.slice(0, DELETED)) {
    await s3.send(new DeleteObjectCommand({ Bucket: BUCKET, Key: key }));
  }
  await eventually("space returns", 60_000, async () =>
    (await diskStates(cluster, "storage-1")).includes("up") ? true : undefined,
  );
  await put(s3, "afterwards", OBJECT_MIB);
  for (const key of keys.slice(DELETED)) await verify(s3, key, OBJECT_MIB);
});

test("no room anywhere: 507, deletes work, and then writes again", { skip }, async (context) => {
  const root = mkdtempSync(join(tmpdir(), "dolium-full-"));
  const small = mountSmall(root, join(root, "disk"), 128);
  context.after(() => {
    small.unmount();
    rmSync(root, { recursive: true, force: true });
  });
  const cluster = await LocalCluster.start({
    args: ["server", join(root, "disk")],
    dataDir: join(root, "disk"),
    environment,
  });
  context.after(() => cluster.stop());
  const s3 = cluster.s3(0, 6);
  await s3.send(new CreateBucketCommand({ Bucket: BUCKET }));
  const stored: string[] = [];
  let refusal: unknown;
  for (let at = 0; at < 40 && refusal === undefined; at += 1) {
    try {
      await put(s3, `object-${at}`, 8);
      stored.push(`object-${at}`);
    } catch (error) {
      refusal = error;
    }
  }
  assert.ok(refusal instanceof S3ServiceException, String(refusal));
  assert.equal(refusal.$metadata.httpStatusCode, 507);
  assert.ok(stored.length >= 5, `${stored.length} stored`);
  for (const key of stored) await verify(s3, key, 8);
  for (const key of stored.slice(0, 5)) {
    await s3.send(new DeleteObjectCommand({ Bucket: BUCKET, Key: key }));
  }
  await eventually("writes work again", 60_000, async () => {
    await put(s3, "afterwards", 8);
    return true;
  });
  for (const key of stored.slice(5)) await verify(s3, key, 8);
});
