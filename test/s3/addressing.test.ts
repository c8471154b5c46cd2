// Where the service is mounted and how buckets are named in requests: service names with and
// without port, several at once, base paths, absolute-form targets. Rows A3, A4, B10, C1, C4, E3.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type MemoryGateway, startGatewayOver } from "../unit/gateway/memory-gateway.ts";
import type { Caller } from "./caller.ts";
import { callerOf, makeBucket, newBucketName } from "./harness.ts";
import { StateMetadata } from "./state-metadata.ts";

let metadata: StateMetadata;
let gateway: Omit<MemoryGateway, "metadata">;
let s3: Caller;

before(async () => {
  metadata = await StateMetadata.open();
  gateway = await startGatewayOver(metadata, {
    domains: ["s3.example.org", "store.example.net:8081"],
    basePaths: ["/api/v1/s3", "/awsapi/rest/AmazonS3/"],
  });
  s3 = callerOf(gateway);
});
after(async () => {
  await gateway.stop();
  await metadata.close();
});

for (const host of ["s3.example.org", "s3.example.org:9000", "store.example.net:8081"]) {
  test(`A4: buckets resolve as hosts under ${host}`, async () => {
    const bucket = await makeBucket(s3);
    const own = `${bucket}.${host}`;
    const put = await s3.call({ method: "PUT", target: "/a/key", host: own, body: "by host" });
    assert.equal(put.status, 200, put.text);
    assert.equal((await s3.get(bucket, "a/key")).text, "by host");
    const list = await s3.call({ target: "/?list-type=2", host: own });
    assert.equal(list.xml().name, "ListBucketResult");
    const service = await s3.call({ target: "/", host });
    assert.equal(service.xml().name, "ListAllMyBucketsResult");
    const path = await s3.call({ target: `/${bucket}/a/key`, host });
    assert.equal(path.text, "by host");
  });
}

test("A4: a service name with a port is none on another port", async () => {
  const bucket = await makeBucket(s3);
  const host = `${bucket}.store.example.net:9999`;
  const answer = await s3.call({ target: "/", host });
  assert.equal(answer.xml().name, "ListAllMyBucketsResult");
});

for (const prefix of ["/api/v1/s3", "/awsapi/rest/AmazonS3"]) {
  test(`B10, C1: the API is served under ${prefix}, signed over the whole path`, async () => {
    const bucket = newBucketName();
    const made = await s3.call({ method: "PUT", target: `${prefix}/${bucket}` });
    assert.equal(made.status, 200, made.text);
    const target = `${prefix}/${bucket}/folder/key`;
    assert.equal((await s3.call({ method: "PUT", target, body: "under" })).status, 200);
    assert.equal((await s3.call({ target })).text, "under");
    assert.equal((await s3.get(bucket, "folder/key")).text, "under");
    for (const root of [prefix, `${prefix}/`]) {
      assert.equal((await s3.call({ target: root })).xml().name, "ListAllMyBucketsResult");
    }
    const presigned = s3.presign({ target });
    assert.equal((await s3.call({ target: presigned, sign: false })).text, "under");
    const unsignedPrefix = s3.presign({ target: `/${bucket}/folder/key` });
    const moved = await s3.call({ target: `${prefix}${unsignedPrefix}`, sign: false });
    assert.equal(moved.code, "SignatureDoesNotMatch");
  });
}

test("A3: an absolute-form request line routes by its own host", async () => {
  const bucket = await makeBucket(s3);
  const host = `${bucket}.s3.example.org`;
  const put = s3.requestBytes({ method: "PUT", target: "/key", host, body: "by proxy" });
  const answer = await s3.send(absoluteForm(put, host));
  assert.equal(answer.status, 200, answer.text);
  assert.equal((await s3.get(bucket, "key")).text, "by proxy");
  const other = await s3.send(absoluteForm(put, "other.s3.example.org"));
  assert.equal(other.code, "InvalidArgument");
});

/** The same request as a client sends it to a proxy. */
function absoluteForm(bytes: Buffer, host: string): Buffer {
  const text = bytes.toString("latin1");
  const space = text.indexOf(" ");
  return Buffer.from(`${text.slice(0, space + 1)}http://${host}${text.slice(space + 1)}`, "latin1");
}

test("x-amz-request-payer is accepted", async () => {
  const bucket = await makeBucket(s3);
  const headers = [["x-amz-request-payer", "requester"]] as const;
  const target = `/${bucket}/key`;
  assert.equal((await s3.call({ method: "PUT", target, headers, body: "x" })).status, 200);
  assert.equal((await s3.call({ target, headers })).text, "x");
});
