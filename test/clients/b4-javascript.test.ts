// JavaScript clients of three ages: AWS SDK 2 (SigV2 and SigV4), minio-js, AWS SDK 3, each with the
// round of buckets, bodies, multipart, listings, presigned calls and errors.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  paginateListObjectsV2,
} from "@aws-sdk/client-s3";
import aws3 from "@aws-sdk/client-s3/package.json" with { type: "json" };
import S3 from "aws-sdk/clients/s3.js";
import aws2 from "aws-sdk/package.json" with { type: "json" };
import { Client as Minio } from "minio";
import minioPackage from "minio/package.json" with { type: "json" };
import { seededBytes } from "../support/seeded-bytes.ts";
import { startServer, type TestServer } from "../support/test-server.ts";
import { awsSdk } from "./aws-sdk.ts";
import { type Client, rowTest } from "./row-test.ts";

const MIB = 1024 * 1024;
const installed = (name: string, version: string): Client => ({ name, version, absent: undefined });
const sdk2 = installed("AWS SDK for JavaScript 2", aws2.version);
const sdk3 = installed("AWS SDK for JavaScript 3", aws3.version);
const minio = installed("minio-js", minioPackage.version);
let server: TestServer;

before(async () => {
  process.env.AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE = "1";
  server = await startServer();
});

after(async () => {
  await server.stop();
});

function refused(code: string): (error: unknown) => boolean {
  return (error) => error instanceof Error && "code" in error && error.code === code;
}

for (const signatureVersion of ["v2", "v4"]) {
  rowTest(sdk2, ["B4"], `round with signatureVersion ${signatureVersion}`, async () => {
    const { endpoint, accessKeyId, secretAccessKey, region } = server;
    const keys = { accessKeyId, secretAccessKey, region };
    const options = { endpoint, signatureVersion, s3ForcePathStyle: true, ...keys };
    const s3 = new S3(options);
    const Bucket = `sdk2-${signatureVersion}`;
    await s3.createBucket({ Bucket }).promise();
    const body = seededBytes(Bucket, 11 * MIB);
    const parts = { partSize: 5 * MIB, queueSize: 2 };
    await s3.upload({ Bucket, Key: "large ü", Body: body }, parts).promise();
    const got = await s3.getObject({ Bucket, Key: "large ü" }).promise();
    assert.ok(Buffer.isBuffer(got.Body) && got.Body.equals(body));
    await s3.putObject({ Bucket, Key: "small", Body: "small", Metadata: { who: "me" } }).promise();
    const url = s3.getSignedUrl("getObject", { Bucket, Key: "small", Expires: 60 });
    assert.equal(await (await fetch(url)).text(), "small");
    const listed = await s3.listObjectsV2({ Bucket }).promise();
    assert.deepEqual(
      listed.Contents?.map((one) => one.Key),
      ["large ü", "small"],
    );
    await assert.rejects(s3.getObject({ Bucket, Key: "no" }).promise(), refused("NoSuchKey"));
    const wrong = new S3({ ...options, secretAccessKey: "wrong" });
    await assert.rejects(wrong.listBuckets().promise(), refused("SignatureDoesNotMatch"));
    const Objects = [{ Key: "large ü" }, { Key: "small" }];
    await s3.deleteObjects({ Bucket, Delete: { Objects } }).promise();
    await s3.deleteBucket({ Bucket }).promise();
  });
}

rowTest(sdk3, ["B4", "E5"], "round with default checksums, pages of a listing", async () => {
  const s3 = awsSdk(server);
  const Bucket = "sdk3";
  await s3.send(new CreateBucketCommand({ Bucket }));
  const names = Array.from({ length: 25 }, (_, at) => `key ${String(at).padStart(2, "0")}`);
  for (const Key of names) await s3.send(new PutObjectCommand({ Bucket, Key, Body: Key }));
  const got = await s3.send(new GetObjectCommand({ Bucket, Key: "key 07", Range: "bytes=4-5" }));
  assert.equal(await got.Body?.transformToString(), "07");
  const seen: (string | undefined)[] = [];
  for await (const page of paginateListObjectsV2({ client: s3, pageSize: 10 }, { Bucket })) {
    seen.push(...(page.Contents ?? []).map((one) => one.Key));
  }
  assert.deepEqual(seen, names);
  const none = s3.send(new GetObjectCommand({ Bucket, Key: "none" }));
  await assert.rejects(none, { name: "NoSuchKey" });
  const Objects = names.map((Key) => ({ Key }));
  await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
  assert.equal((await s3.send(new ListObjectsV2Command({ Bucket }))).KeyCount, 0);
  await s3.send(new DeleteBucketCommand({ Bucket }));
});

rowTest(minio, ["B4"], "round of minio-js: streams, presigned, parts left over", async () => {
  const { hostname, port } = new URL(server.endpoint);
  const options = {
    endPoint: hostname,
    port: Number(port),
    useSSL: false,
    accessKey: server.accessKeyId,
    secretKey: server.secretAccessKey,
    partSize: 5 * MIB,
  };
  const client = new Minio(options);
  await client.makeBucket("minio-js");
  assert.equal(await client.bucketExists("minio-js"), true);
  assert.equal(await client.bucketExists("minio-none"), false);
  const body = seededBytes("minio", 12 * MIB);
  await client.putObject("minio-js", "large", body, body.byteLength, { "x-amz-meta-who": "me" });
  const chunks: Buffer[] = [];
  for await (const chunk of await client.getObject("minio-js", "large")) chunks.push(chunk);
  assert.ok(Buffer.concat(chunks).equals(body));
  const stat = await client.statObject("minio-js", "large");
  assert.deepEqual([stat.size, stat.metaData.who], [body.byteLength, "me"]);
  const put = await client.presignedPutObject("minio-js", "by url", 60);
  assert.equal((await fetch(put, { method: "PUT", body: "by url" })).status, 200);
  const url = await client.presignedGetObject("minio-js", "by url", 60);
  assert.equal(await (await fetch(url)).text(), "by url");
  const names: (string | undefined)[] = [];
  for await (const one of client.listObjectsV2("minio-js", "", true)) names.push(one.name);
  assert.deepEqual(names, ["by url", "large"]);
  await client.initiateNewMultipartUpload("minio-js", "left", {});
  await client.removeIncompleteUpload("minio-js", "left");
  await assert.rejects(client.getObject("minio-js", "none"), refused("NoSuchKey"));
  await client.removeObjects("minio-js", ["by url", "large"]);
  await client.removeBucket("minio-js");
  const wrong = new Minio({ ...options, secretKey: "wrong" });
  await assert.rejects(wrong.listBuckets(), refused("SignatureDoesNotMatch"));
});
