// A gateway's memory does not grow with what flows through it: large multipart uploads, their
// download by ranges, and many uploads at once. DOLIUM_TEST_FULL=1 moves 5 GiB and 200 bodies.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  PutObjectCommand,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { present } from "../../services/lib/base/assert.ts";
import { LocalCluster } from "../support/local-cluster.ts";
import { seededBytes } from "../support/seeded-bytes.ts";

const MIB = 1024 * 1024;
const FULL = process.env.DOLIUM_TEST_FULL === "1";
const PART_BYTES = 8 * MIB;
const PART_COUNT = (FULL ? 5 * 1024 * MIB : 96 * MIB) / PART_BYTES;
// What the AWS command sends at a time.
const PARTS_AT_ONCE = 10;
const STREAM_LIMIT_MIB = 300;
const BODY_COUNT = FULL ? 200 : 30;
const CROWD_LIMIT_MIB = 600;
const target = { Bucket: "memory", Key: "large" };

let cluster: LocalCluster;

before(async () => {
  cluster = await LocalCluster.start({ args: ["dev", "--gateways", "1", "--metadata", "1"] });
  await cluster.s3().send(new CreateBucketCommand({ Bucket: target.Bucket }));
});
after(async () => {
  await cluster?.stop();
});

/** Most resident memory that the first gateway ever had, MiB (VmHWM of proc(5)). */
function peakMib(): number {
  const status = readFileSync(`/proc/${cluster.process("gateway-1").pid}/status`, "utf8");
  const kib = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
  return Math.ceil(Number(kib) / 1024);
}

/** Calls `work` with 0 to `count` - 1, `width` of them at a time. */
async function inParallel(
  count: number,
  width: number,
  work: (at: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let at = next++; at < count; at = next++) await work(at);
  };
  await Promise.all(Array.from({ length: width }, worker));
}

const bodies = Array.from({ length: PARTS_AT_ONCE }, (_, at) =>
  seededBytes(`part ${at}`, PART_BYTES),
);

function partBytes(at: number): Buffer {
  return present(bodies[at % PARTS_AT_ONCE], "body");
}

test(`${PART_COUNT} parts of 8 MiB go in and out within ${STREAM_LIMIT_MIB} MiB`, async (t) => {
  const s3 = cluster.s3(0, 6);
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand(target));
  const tags = new Map<number, string | undefined>();
  await inParallel(PART_COUNT, PARTS_AT_ONCE, async (at) => {
    const part = { ...target, UploadId, PartNumber: at + 1, Body: partBytes(at) };
    tags.set(at, (await s3.send(new UploadPartCommand(part))).ETag);
  });
  const Parts = Array.from(tags.keys())
    .sort((a, b) => a - b)
    .map((at) => ({ PartNumber: at + 1, ETag: tags.get(at) }));
  await s3.send(
    new CompleteMultipartUploadCommand({ ...target, UploadId, MultipartUpload: { Parts } }),
  );
  t.diagnostic(`peak after the upload: ${peakMib()} MiB`);

  await inParallel(PART_COUNT, PARTS_AT_ONCE, async (at) => {
    const Range = `bytes=${at * PART_BYTES}-${(at + 1) * PART_BYTES - 1}`;
    const { Body } = await s3.send(new GetObjectCommand({ ...target, Range }));
    assert.ok(Body !== undefined);
    assert.ok(partBytes(at).equals(await Body.transformToByteArray()), `bytes of part ${at + 1}`);
  });
  t.diagnostic(`peak after the download: ${peakMib()} MiB`);
  assert.ok(peakMib() < STREAM_LIMIT_MIB, `${peakMib()} MiB`);
});

test(`${BODY_COUNT} uploads of 8 MiB at once stay within ${CROWD_LIMIT_MIB} MiB`, async (t) => {
  const s3 = cluster.s3(0, 6);
  const Body = partBytes(0);
  await inParallel(BODY_COUNT, BODY_COUNT, async (at) => {
    await s3.send(new PutObjectCommand({ ...target, Key: `crowd/${at}`, Body }));
  });
  t.diagnostic(`peak after the crowd: ${peakMib()} MiB`);
  assert.ok(peakMib() < CROWD_LIMIT_MIB, `${peakMib()} MiB`);
});
