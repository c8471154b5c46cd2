// What nobody needs any more leaves the disks: shards of deleted and overwritten objects, of
// aborted and stale uploads, of uploads that were cut off. What is alive stays.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import {
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  PutObjectCommand,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { signHeaders } from "../../services/lib/s3/sigv4/sign.ts";
import { eventually } from "../support/eventually.ts";
import { LocalCluster } from "../support/local-cluster.ts";
import { seededBytes, sha256Hex } from "../support/seeded-bytes.ts";
import { readStatus } from "../support/status.ts";

const MIB = 1024 * 1024;
const BUCKET = "garbage";
let root: string;
let cluster: LocalCluster;

async function shardCount(): Promise<number> {
  const { nodes } = await readStatus(cluster);
  const disks = nodes.flatMap((node) => node.disks ?? []);
  return disks.reduce((sum, disk) => sum + disk.shardCount, 0);
}

async function untilShards(what: string, wanted: (count: number) => boolean): Promise<number> {
  return eventually(what, 60_000, async () => {
    const count = await shardCount();
    if (wanted(count)) return count;
    throw new Error(`${count} shards`);
  });
}

before(async () => {
  root = mkdtempSync(join(tmpdir(), "dolium-garbage-"));
  const disks = [1, 2, 3, 4, 5, 6].map((number) => join(root, `disk-${number}`));
  cluster = await LocalCluster.start({
    args: ["server", ...disks],
    dataDir: disks[0] ?? "",
    environment: {
      DOLIUM_KEEPER__INTERVAL_MS: "200",
      DOLIUM_KEEPER__GARBAGE_DELAY_MS: "0",
      DOLIUM_KEEPER__SWEEP_INTERVAL_MS: "300",
      DOLIUM_KEEPER__ORPHAN_GRACE_MS: "15000",
      DOLIUM_KEEPER__ORPHAN_QUARANTINE_MS: "500",
      DOLIUM_KEEPER__STALE_UPLOAD_MS: "5000",
    },
  });
  await cluster.s3(0, 6).send(new CreateBucketCommand({ Bucket: BUCKET }));
  const Body = seededBytes("alive", 3 * MIB);
  await cluster.s3(0, 6).send(new PutObjectCommand({ Bucket: BUCKET, Key: "alive", Body }));
});

after(async () => {
  await cluster?.stop();
  rmSync(root, { recursive: true, force: true });
});

test("shards of overwritten and deleted objects go, those of the living stay", async () => {
  const s3 = cluster.s3(0, 6);
  for (let round = 0; round < 5; round += 1) {
    const Body = seededBytes(`round ${round}`, MIB);
    await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: "changing", Body }));
  }
  await untilShards("six of each living object", (count) => count === 12);
  await s3.send(new DeleteObjectCommand({ Bucket: BUCKET, Key: "changing" }));
  await untilShards("only the living", (count) => count === 6);
});

test("an upload that nobody touches is aborted and its parts go", async () => {
  const target = { Bucket: BUCKET, Key: "stale" };
  const s3 = cluster.s3(0, 6);
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand(target));
  const Body = seededBytes("part", MIB);
  await s3.send(new UploadPartCommand({ ...target, UploadId, PartNumber: 1, Body }));
  const { Uploads } = await s3.send(new ListMultipartUploadsCommand({ Bucket: BUCKET }));
  assert.equal(Uploads?.length, 1);
  await eventually("no upload is listed", 60_000, async () => {
    const left = await s3.send(new ListMultipartUploadsCommand({ Bucket: BUCKET }));
    return (left.Uploads ?? []).length === 0 ? true : undefined;
  });
  await untilShards("the part's shards are gone", (count) => count === 6);
});

test("an upload cut off half way leaves orphans, and the sweeper finds them", async () => {
  await cutUpload("cut", 40 * MIB, 36 * MIB);
  await untilShards("orphans are gone", (count) => count === 6);
  const { Body } = await cluster
    .s3(0, 6)
    .send(new GetObjectCommand({ Bucket: BUCKET, Key: "alive" }));
  const read = (await Body?.transformToByteArray()) ?? new Uint8Array(0);
  assert.equal(sha256Hex(read), sha256Hex(seededBytes("alive", 3 * MIB)));
  await assert.rejects(
    cluster.s3(0, 6).send(new GetObjectCommand({ Bucket: BUCKET, Key: "cut" })),
    {
      name: "NoSuchKey",
    },
  );
});

test("a server of several replicas ends without an election among them", async () => {
  await cluster.stop();
  const [, ending = ""] = cluster.stderr.split('"message":"stopping"');
  assert.match(ending, /"message":"stopped"/);
  assert.doesNotMatch(ending, /leads a group"|not handed over/);
});

/** Declares `length` bytes, sends `sent` of them, and drops the connection. */
async function cutUpload(key: string, length: number, sent: number): Promise<void> {
  const url = new URL(cluster.endpoints[0] ?? "");
  const { accessKeyId, secretAccessKey, region } = cluster.ready;
  const { headers } = signHeaders(
    {
      method: "PUT",
      target: `/${BUCKET}/${key}`,
      headers: [
        ["host", url.host],
        ["content-length", String(length)],
      ],
    },
    { accessKeyId, secret: secretAccessKey, region, nowMs: Date.now() },
    "UNSIGNED-PAYLOAD",
  );
  const socket = connect(Number(url.port), url.hostname);
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  socket.write(`PUT /${BUCKET}/${key} HTTP/1.1\r\n${lines}\r\n`);
  const body = seededBytes("cut", sent);
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject);
    socket.write(body, () => resolve());
  });
  await untilShards("the first chunk is on the disks", (count) => count > 6);
  socket.destroy();
}
