// boto 2, the client of the oldest users: SigV2, path style, over TLS on a port of its own, and
// with a base path before the API; and the walk that the Alluxio manual shows. check_boto2.py
// checks.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { startServer, type TestServer } from "../support/test-server.ts";
import { findPython, rowTest, runPython } from "./row-test.ts";
import { startTlsFront, type TlsFront } from "./tls-front.ts";

const BASE_PATH = "/awsapi/rest/AmazonS3";
const boto = await findPython("boto", "boto.s3.connection", "boto.Version");
let server: TestServer;
let tls: TlsFront;

before(async () => {
  if (boto.absent !== undefined) return;
  server = await startServer({ DOLIUM_S3__BASE_PATHS: BASE_PATH });
  tls = await startTlsFront(server.endpoint, ["localhost"]);
});

after(async () => {
  await tls?.stop();
  await server?.stop();
});

async function walk(environment: Readonly<Record<string, string>>): Promise<string> {
  return runPython("check_boto2.py", {
    HOST: "127.0.0.1",
    PORT: new URL(server.endpoint).port,
    AWS_ACCESS_KEY_ID: server.accessKeyId,
    AWS_SECRET_ACCESS_KEY: server.secretAccessKey,
    ...environment,
  });
}

rowTest(
  boto,
  ["C21", "B4", "C3", "D12"],
  "the walk over a plain port; a presigned GET",
  async () => {
    const printed = await walk({ BUCKET: "boto-plain", KEEP: "1" });
    const url = /^url (.*)$/m.exec(printed)?.[1] ?? "";
    const answer = await fetch(url);
    assert.equal(answer.status, 200);
    const body = new Uint8Array(await answer.arrayBuffer());
    assert.equal(body.byteLength, 8 * 1024 * 1024);
    const again = await fetch(url.replace("Signature=", "Signature=A"));
    assert.equal(again.status, 403);
  },
);

rowTest(boto, ["A16"], "is_secure, a port, OrdinaryCallingFormat", async () => {
  await walk({
    BUCKET: "boto-secure",
    HOST: "localhost",
    SECURE: "1",
    PORT: String(tls.port),
    SSL_CERT_FILE: tls.certificatePath,
  });
});

rowTest(boto, ["B10", "C1"], "custom host, port and base path", async () => {
  await walk({ BUCKET: "boto-base", BASE_PATH: `${BASE_PATH}/` });
});
