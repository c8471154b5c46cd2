// A whole cluster of processes keeps real files: through both gateways, large and small, listed and
// deleted.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { LocalCluster } from "../support/local-cluster.ts";
import { seededBytes, sha256Hex } from "../support/seeded-bytes.ts";

const MIB = 1024 * 1024;
/** Two chunks of 32 MiB and more, the second of many stripes and an odd end. */
const LARGE = 41 * MIB + 11;
/** One page of a listing and a bit, as one answer deletes at most. */
const SMALL_OBJECTS = process.env.DOLIUM_TEST_FULL === "1" ? 2500 : 1050;
const BUCKET = "round-trip";
let cluster: LocalCluster;

before(async () => {
  cluster = await LocalCluster.start();
  await cluster.s3().send(new CreateBucketCommand({ Bucket: BUCKET }));
});

after(async () => {
  await cluster?.stop();
});

test("the ready line names endpoints, keys and processes", () => {
  assert.equal(cluster.endpoints.length, 2);
  const roles = cluster.processes().map((running) => running.role);
  const count = (role: string): number => roles.filter((other) => other === role).length;
  assert.deepEqual(
    [count("gateway"), count("metadata"), count("storage"), count("keeper")],
    [2, 3, 6, 1],
  );
});

for (const size of [0, 1, 16 * 1024, 16 * 1024 + 1, 300_000, 5 * MIB + 3, LARGE]) {
  test(`an object of ${size} bytes goes in by one gateway and out by the other`, async () => {
    const body = seededBytes(`size ${size}`, size);
    const key = `sizes/${size}`;
    await cluster.s3(0).send(new PutObjectCommand({ Bucket: BUCKET, Key: key, Body: body }));
    const { Body, ContentLength } = await cluster
      .s3(1)
      .send(new GetObjectCommand({ Bucket: BUCKET, Key: key }));
    assert.equal(ContentLength, size);
    const read = (await Body?.transformToByteArray()) ?? Buffer.alloc(0);
    assert.equal(sha256Hex(read), sha256Hex(body));
  });
}

test("ranges across cells, stripes and chunks are exact", async () => {
  const size = LARGE;
  const body = seededBytes(`size ${size}`, size);
  const edges = [
    [0, 0],
    [131_071, 131_072],
    [524_287, 524_289],
    [32 * MIB - 2, 32 * MIB + 2],
    [size - 5, size - 1],
    [25 * MIB, 39 * MIB],
  ] as const;
  for (const [first, last] of edges) {
    const { Body } = await cluster.s3(1).send(
      new GetObjectCommand({
        Bucket: BUCKET,
        Key: `sizes/${size}`,
        Range: `bytes=${first}-${last}`,
      }),
    );
    const read = (await Body?.transformToByteArray()) ?? Buffer.alloc(0);
    assert.equal(sha256Hex(read), sha256Hex(body.subarray(first, last + 1)), `${first}-${last}`);
  }
});

test("a multipart upload spread over both gateways is one object", async () => {
  const key = "multipart";
  const parts = [6 * MIB, 5 * MIB, 1234].map((size, at) => seededBytes(`part ${at}`, size));
  const target = { Bucket: BUCKET, Key: key };
  const { UploadId } = await cluster.s3(0).send(new CreateMultipartUploadCommand(target));
  const done = await Promise.all(
    parts.map(async (Body, at) => {
      const PartNumber = at + 1;
      const { ETag } = await cluster
        .s3(at % 2)
        .send(new UploadPartCommand({ ...target, UploadId, PartNumber, Body }));
      return { PartNumber, ETag };
    }),
  );
  await cluster
    .s3(1)
    .send(
      new CompleteMultipartUploadCommand({ ...target, UploadId, MultipartUpload: { Parts: done } }),
    );
  const { Body } = await cluster.s3(0).send(new GetObjectCommand(target));
  const read = (await Body?.transformToByteArray()) ?? Buffer.alloc(0);
  assert.equal(sha256Hex(read), sha256Hex(Buffer.concat(parts)));
});

test("keys that look like paths or properties keep their exact bytes", async () => {
  const keys = ["..", "//", "a/../b", "%2e%2e", "__proto__", "a//b", "/", "ü/€/𐐷", "tail/"];
  for (const Key of keys) {
    await cluster
      .s3(0)
      .send(new PutObjectCommand({ Bucket: BUCKET, Key: `odd/${Key}`, Body: Key }));
  }
  const listed = await cluster
    .s3(1)
    .send(new ListObjectsV2Command({ Bucket: BUCKET, Prefix: "odd/", EncodingType: "url" }));
  const found = (listed.Contents ?? []).map(({ Key }) =>
    decodeURIComponent((Key ?? "").replaceAll("+", "%20")),
  );
  const sorted = keys.map((key) => Buffer.from(`odd/${key}`)).sort(Buffer.compare);
  assert.deepEqual(found, sorted.map(String));
  for (const Key of keys) {
    const { Body } = await cluster
      .s3(1)
      .send(new GetObjectCommand({ Bucket: BUCKET, Key: `odd/${Key}` }));
    assert.equal(await Body?.transformToString(), Key);
  }
});

test(`${SMALL_OBJECTS} small objects are listed in pages without loss and deleted in bulk`, async () => {
  const s3 = cluster.s3(0);
  const keys = Array.from(
    { length: SMALL_OBJECTS },
    (_, at) => `small/${String(at).padStart(5, "0")}`,
  );
  const queue = [...keys];
  const lane = async (): Promise<void> => {
    for (let Key = queue.pop(); Key !== undefined; Key = queue.pop()) {
      await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body: Key }));
    }
  };
  await Promise.all(Array.from({ length: 32 }, lane));
  const listed: string[] = [];
  let ContinuationToken: string | undefined;
  do {
    const page = await cluster.s3(1).send(
      new ListObjectsV2Command({
        Bucket: BUCKET,
        Prefix: "small/",
        MaxKeys: 400,
        ContinuationToken,
      }),
    );
    listed.push(...(page.Contents ?? []).map(({ Key }) => Key ?? ""));
    ContinuationToken = page.NextContinuationToken;
  } while (ContinuationToken !== undefined);
  assert.deepEqual(listed, keys);
  for (let at = 0; at < keys.length; at += 1000) {
    const Objects = keys.slice(at, at + 1000).map((Key) => ({ Key }));
    const { Errors } = await s3.send(
      new DeleteObjectsCommand({ Bucket: BUCKET, Delete: { Objects, Quiet: true } }),
    );
    assert.deepEqual(Errors ?? [], []);
  }
  const left = await s3.send(new ListObjectsV2Command({ Bucket: BUCKET, Prefix: "small/" }));
  assert.equal(left.KeyCount, 0);
});
