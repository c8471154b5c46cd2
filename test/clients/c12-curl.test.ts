// curl with its own SigV4: the requests that the Alluxio manual shows and the XML fields they
// answer with, virtual hosts of two service names, the switch of the API, and SOAP.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { runCommand } from "../support/run-command.ts";
import { seededBytes } from "../support/seeded-bytes.ts";
import { startServer, type TestServer } from "../support/test-server.ts";
import { findClient, rowTest } from "./row-test.ts";

const MIB = 1024 * 1024;
const curl = await findClient({ name: "curl", program: "curl", args: ["--version"] });
let server: TestServer;
let folder: string;

before(async () => {
  if (curl.absent !== undefined) return;
  server = await startServer({ DOLIUM_S3__DOMAINS: "one.dolium.test,two.dolium.test:8081" });
  folder = mkdtempSync(join(tmpdir(), "dolium-curl-"));
});

after(async () => {
  await server?.stop();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

interface Answer {
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

async function plain(...args: string[]): Promise<Answer> {
  const printed = await runCommand("curl", ["-sS", "-i", ...args]);
  const [head = "", ...rest] = printed
    .replace("HTTP/1.1 100 Continue\r\n\r\n", "")
    .split("\r\n\r\n");
  return { status: Number(head.split(" ")[1]), head, body: rest.join("\r\n\r\n") };
}

/** This curl signs a body only by the header that names its hash, and AWS asks for the header. */
async function signed(...args: string[]): Promise<Answer> {
  const { accessKeyId, secretAccessKey, region } = server;
  return plain(
    ...["--aws-sigv4", `aws:amz:${region}:s3`, "--user", `${accessKeyId}:${secretAccessKey}`],
    ...["-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD"],
    ...args,
  );
}

async function put(url: string, name: string, body: Uint8Array | string): Promise<Answer> {
  const path = join(folder, name);
  writeFileSync(path, body);
  return signed("-T", path, url);
}

function field(xml: string, name: string): string {
  return new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1] ?? `no ${name} in ${xml}`;
}

rowTest(curl, ["C12", "E5"], "buckets, objects and listings", async () => {
  const at = `${server.endpoint}/curl`;
  assert.equal((await signed("-X", "PUT", at)).status, 200);
  const made = await put(`${at}/folder/file`, "file", "content");
  assert.equal(made.status, 200);
  assert.match(made.head, /etag: "9a0364b9e99bb480dd25e1f0284c8555"/i);
  assert.equal((await signed(`${at}/folder/file`)).body, "content");
  const head = await signed("--head", `${at}/folder/file`);
  assert.deepEqual([head.status, head.body], [200, ""]);
  assert.match(head.head, /content-length: 7/i);
  const none = await signed("--head", `${at}/none`);
  assert.deepEqual([none.status, none.body], [404, ""]);
  const listed = (await signed(`${at}?list-type=2`)).body;
  const fields = ["Name", "KeyCount", "MaxKeys", "IsTruncated", "Key", "Size"];
  const values = ["curl", "1", "1000", "false", "folder/file", "7"];
  assert.deepEqual(
    fields.map((name) => field(listed, name)),
    values,
  );
  const encoded = (await signed(`${at}?delimiter=%2F&encoding-type=url&list-type=2`)).body;
  assert.deepEqual([field(encoded, "EncodingType"), field(encoded, "KeyCount")], ["url", "1"]);
  assert.match(encoded, /<CommonPrefixes><Prefix>folder\/<\/Prefix><\/CommonPrefixes>/);
  const old = (await signed(at)).body;
  assert.deepEqual([field(old, "Marker"), field(old, "MaxKeys")], ["", "1000"]);
  assert.match((await signed(server.endpoint)).body, /<Bucket><Name>curl<\/Name>/);
  assert.equal((await signed("-X", "DELETE", at)).status, 409);
  assert.equal((await signed("-X", "DELETE", `${at}/folder/file`)).status, 204);
  assert.equal((await signed("-X", "DELETE", at)).status, 204);
});

rowTest(curl, ["C12", "C16"], "?uploads and ?uploadId", async () => {
  const at = `${server.endpoint}/curl-parts`;
  await signed("-X", "PUT", at);
  const created = (await signed("-X", "POST", `${at}/key?uploads=`)).body;
  const id = field(created, "UploadId");
  assert.deepEqual([field(created, "Bucket"), field(created, "Key")], ["curl-parts", "key"]);
  const etags: string[] = [];
  for (const [number, length] of [
    [1, 5 * MIB],
    [2, 10],
  ] as const) {
    const part = seededBytes(`curl ${number}`, length);
    const answer = await put(`${at}/key?partNumber=${number}&uploadId=${id}`, "part", part);
    etags.push(/etag: (.*)/i.exec(answer.head)?.[1]?.trim() ?? "none");
  }
  const listed = (await signed(`${at}/key?uploadId=${id}`)).body;
  assert.deepEqual(
    ["StorageClass", "MaxParts", "IsTruncated"].map((name) => field(listed, name)),
    ["STANDARD", "1000", "false"],
  );
  assert.equal(listed.match(/<PartNumber>/g)?.length, 2);
  assert.match((await signed(`${at}?uploads=`)).body, /<Upload><Key>key<\/Key>/);
  assert.equal(field((await signed(`${at}?list-type=2`)).body, "KeyCount"), "0");
  const parts = etags.map(
    (etag, index) => `<Part><PartNumber>${index + 1}</PartNumber><ETag>${etag}</ETag></Part>`,
  );
  const document = `<CompleteMultipartUpload>${parts.join("")}</CompleteMultipartUpload>`;
  const done = await signed("-d", document, `${at}/key?uploadId=${id}`);
  assert.equal(done.status, 200, done.body);
  assert.match(field(done.body, "ETag"), /-2/);
  assert.match((await signed("--head", `${at}/key`)).head, /content-length: 5242890/i);
});

rowTest(curl, ["A4", "C4"], "two service names, one with a port, lead to one bucket", async () => {
  assert.equal((await signed("-X", "PUT", `${server.endpoint}/curl-host`)).status, 200);
  const { host } = new URL(server.endpoint);
  const proxied = ["--proxy", `http://${host}`];
  const hosts = ["curl-host.one.dolium.test", "curl-host.two.dolium.test:8081"];
  for (const [at, name] of hosts.entries()) {
    const sent = await signed(...proxied, "-X", "PUT", "-d", name, `http://${name}/${at}`);
    assert.equal(sent.status, 200, sent.body);
    assert.equal((await signed(...proxied, `http://${name}/0`)).body, hosts[0]);
  }
  assert.equal((await signed(`${server.endpoint}/curl-host/1`)).body, hosts[1]);
});

rowTest(curl, ["B5"], "errors are documents with all their fields, and HEAD has none", async () => {
  const bucket = `${server.endpoint}/curl-errors`;
  assert.equal((await signed("-X", "PUT", bucket)).status, 200);
  for (const [args, status, code] of [
    [[`${bucket}/none`], 404, "NoSuchKey"],
    [[`${bucket}-none`], 404, "NoSuchBucket"],
    [["-X", "PUT", `${server.endpoint}/NO_name`], 400, "InvalidBucketName"],
    [["-X", "POST", bucket], 400, "RequestIsNotMultiPartContent"],
    [[`${bucket}?accelerate=`], 501, "NotImplemented"],
    [["-X", "PATCH", `${bucket}/key`], 405, "MethodNotAllowed"],
    [["-H", "Range: bytes=5-", "-H", "If-Match: x", `${bucket}/none`], 404, "NoSuchKey"],
  ] as const) {
    const { status: found, head, body } = await signed(...args);
    assert.equal(found, status, body);
    assert.equal(field(body, "Code"), code);
    for (const name of ["Message", "Resource", "RequestId", "HostId"]) {
      assert.match(field(body, name), /^[^<]+$/, name);
    }
    assert.match(head, /^content-type: application\/xml\r?$/im);
    assert.match(head, new RegExp(`^x-amz-request-id: ${field(body, "RequestId")}\r?$`, "im"));
  }
  const headed = await signed("--head", `${bucket}/none`);
  assert.equal(headed.status, 404);
  assert.equal(headed.body, "");
  const stranger = await plain(
    ...["--aws-sigv4", `aws:amz:${server.region}:s3`, "--user", `${server.accessKeyId}:wrong`],
    ...["-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD", bucket],
  );
  assert.equal(stranger.status, 403);
  assert.equal(field(stranger.body, "Code"), "SignatureDoesNotMatch");
  assert.equal((await signed("-X", "DELETE", bucket)).status, 204);
});

rowTest(curl, ["B11"], "a SOAP call gets a clean error", async () => {
  const soap = await plain(
    ...["-H", 'SOAPAction: ""', "-H", "Content-Type: text/xml"],
    ...["-d", "<Envelope><Body><ListAllMyBuckets/></Body></Envelope>", `${server.endpoint}/soap`],
  );
  assert.ok(soap.status >= 400 && soap.status < 502, soap.head);
  assert.match(soap.body, /<Error><Code>[A-Za-z]+<\/Code><Message>/);
});

rowTest(curl, ["B1"], "the API switched off answers 503 in XML, on it serves", async () => {
  const off = await startServer({ DOLIUM_S3__ENABLED: "false" });
  try {
    const answer = await plain(off.endpoint);
    assert.equal(answer.status, 503);
    assert.equal(field(answer.body, "Code"), "ServiceUnavailable");
  } finally {
    await off.stop();
  }
  assert.equal((await signed(server.endpoint)).status, 200);
});
