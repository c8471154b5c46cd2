// The AWS SDK for JavaScript, unmodified and with its defaults (checksums in trailers, retries),
// does what its users do all day.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { after, before, test } from "node:test";
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  NoSuchKey,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { newBucketName, startCluster, type TestCluster } from "./harness.ts";

let cluster: TestCluster;
let client: S3Client;
const Bucket = newBucketName();

before(async () => {
  cluster = await startCluster();
  const { endpoint, region, accessKeyId, secretAccessKey } = cluster;
  client = new S3Client({
    endpoint,
    region,
    credentials: { accessKeyId, secretAccessKey },
    forcePathStyle: true,
  });
  await client.send(new CreateBucketCommand({ Bucket }));
});
after(async () => {
  client.destroy();
  await cluster.stop();
});

async function bytesOf(Key: string): Promise<Uint8Array> {
  const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }));
  return (await Body?.transformToByteArray()) ?? new Uint8Array(0);
}

test("puts, gets, heads and lists", async () => {
  const Body = randomBytes(100_000);
  const Metadata = { colour: "blue" };
  await client.send(new PutObjectCommand({ Bucket, Key: "dir/a key", Body, Metadata }));
  assert.deepEqual(Buffer.from(await bytesOf("dir/a key")), Body);
  const head = await client.send(
    new HeadObjectCommand({ Bucket, Key: "dir/a key", ChecksumMode: "ENABLED" }),
  );
  assert.equal(head.ContentLength, 100_000);
  assert.deepEqual(head.Metadata, Metadata);
  assert.ok(head.ChecksumCRC32);
  const list = await client.send(new ListObjectsV2Command({ Bucket, Delimiter: "/" }));
  assert.deepEqual(list.CommonPrefixes, [{ Prefix: "dir/" }]);
  const buckets = await client.send(new ListBucketsCommand({}));
  assert.ok(buckets.Buckets?.some(({ Name }) => Name === Bucket));
  await assert.rejects(client.send(new GetObjectCommand({ Bucket, Key: "missing" })), NoSuchKey);
});

test("streams a body of known length", async () => {
  const bytes = randomBytes(300_000);
  const Body = Readable.from([bytes.subarray(0, 1000), bytes.subarray(1000)]);
  await client.send(
    new PutObjectCommand({ Bucket, Key: "stream", Body, ContentLength: bytes.byteLength }),
  );
  assert.deepEqual(Buffer.from(await bytesOf("stream")), bytes);
});

test("uploads in parts, lists them, completes; aborts", async () => {
  const Key = "multipart";
  const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key }));
  const bodies = [randomBytes(5 * 1024 * 1024), randomBytes(77)];
  const Parts = [];
  for (const [index, Body] of bodies.entries()) {
    const PartNumber = index + 1;
    const { $metadata: _, ...part } = await client.send(
      new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body }),
    );
    Parts.push({ ...part, PartNumber });
  }
  const listed = await client.send(new ListPartsCommand({ Bucket, Key, UploadId }));
  assert.deepEqual(
    listed.Parts?.map(({ Size }) => Size),
    [5 * 1024 * 1024, 77],
  );
  await client.send(
    new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }),
  );
  assert.ok(Buffer.from(await bytesOf(Key)).equals(Buffer.concat(bodies)));
  const second = await client.send(new CreateMultipartUploadCommand({ Bucket, Key }));
  await client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId: second.UploadId }));
});

test("copies, deletes many and removes the bucket", async () => {
  await client.send(new PutObjectCommand({ Bucket, Key: "source", Body: "text" }));
  const CopySource = `${Bucket}/source`;
  await client.send(new CopyObjectCommand({ Bucket, Key: "copy", CopySource }));
  assert.equal(Buffer.from(await bytesOf("copy")).toString(), "text");
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket }));
  const Objects = Contents.map(({ Key }) => ({ Key }));
  const { Deleted } = await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
  assert.equal(Deleted?.length, Objects.length);
  await client.send(new DeleteBucketCommand({ Bucket }));
});
