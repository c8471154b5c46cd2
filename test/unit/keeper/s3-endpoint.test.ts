// Signed requests of the keeper against a real gateway: bodies framed with a trailing checksum, and
// what a refusal becomes.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { digestedBody, framedSize } from "../../../services/keeper/replicate/replica-digest.ts";
import { S3Endpoint } from "../../../services/keeper/replicate/s3-endpoint.ts";
import { utf8 } from "../../../services/lib/base/bytes.ts";
import { createClock } from "../../../services/lib/host/clock.ts";
import { createHttpExchanger } from "../../../services/lib/host/http-exchange.ts";
import { seededBytes } from "../../support/seeded-bytes.ts";
import { ROOT_USER, startMemoryGateway } from "../gateway/memory-gateway.ts";
import { NEVER } from "./rig.ts";

const PIECE = 64 * 1024;

async function endpoint(t: TestContext, secret = ROOT_USER.secret): Promise<S3Endpoint> {
  const gateway = await startMemoryGateway();
  t.after(() => gateway.stop());
  const http = createHttpExchanger();
  t.after(() => http.close());
  const { accessKeyId } = ROOT_USER;
  const url = `http://127.0.0.1:${gateway.running.port}`;
  const account = { endpoint: url, region: "us-east-1", accessKeyId, secretAccessKey: secret };
  return new S3Endpoint(http, createClock(), account);
}

const call = (key: string) => ({ bucket: "b-b", key: utf8(key), idleMs: 30_000, signal: NEVER });

async function makeBucket(s3: S3Endpoint): Promise<void> {
  await s3.call({ ...call(""), method: "PUT" });
}

async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size);
}

function framed(bytes: Uint8Array, source = inPieces(bytes, 1000)) {
  const { body, headers, isFramed } = digestedBody(bytes.byteLength, source, {
    checksums: [],
    md5: undefined,
  });
  assert.ok(isFramed);
  return { body, headers: [["Content-Encoding", "aws-chunked"] as const, ...headers] };
}

test("a body without a known digest is framed, of just the size that was said", async (t) => {
  const s3 = await endpoint(t);
  await makeBucket(s3);
  for (const size of [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 5]) {
    const bytes = seededBytes(`framed ${size}`, size);
    const { body } = framed(bytes);
    let sent = 0;
    for await (const view of body.source) sent += view.byteLength;
    assert.equal(sent, framedSize(size));
    const answer = await s3.call({ ...call("a"), method: "PUT", ...framed(bytes) });
    assert.ok(answer.headers.has("x-amz-checksum-crc32"), "the trailer was checked and kept");
    const { body: stored } = await s3.open({ ...call("a"), method: "GET" });
    const views: Uint8Array[] = [];
    for await (const view of stored) views.push(view);
    assert.ok(Buffer.concat(views).equals(Buffer.from(bytes)));
  }
});

test("a body that changed on its way is refused", async (t) => {
  const s3 = await endpoint(t);
  await makeBucket(s3);
  const bytes = seededBytes("changed", 10);
  const md5 = new Uint8Array(16);
  const { body, headers } = digestedBody(10, inPieces(bytes, 10), { checksums: [], md5 });
  const put = s3.call({ ...call("a"), method: "PUT", body, headers });
  await assert.rejects(put, { code: "invalid", message: /BadDigest/ });
  const { body: whole, headers: framing } = framed(bytes);
  const damaged = async function* (): AsyncGenerator<Uint8Array> {
    for await (const view of whole.source) {
      const copy = Buffer.from(view);
      const at = copy.indexOf(Buffer.from(bytes));
      if (at >= 0) copy.writeUInt8((copy.readUInt8(at) + 1) % 256, at);
      yield copy;
    }
  };
  const wrong = { ...whole, source: damaged() };
  const late = s3.call({ ...call("a"), method: "PUT", body: wrong, headers: framing });
  await assert.rejects(late, { code: "invalid", message: /BadDigest|ChecksumMismatch|checksum/i });
});

test("refusals say whether to try again", async (t) => {
  const s3 = await endpoint(t);
  await assert.rejects(s3.call({ ...call("a"), method: "GET" }), { code: "not-found" });
  const stranger = await endpoint(t, "another secret of forty characters.....");
  await assert.rejects(makeBucket(stranger), { code: "denied", message: /SignatureDoesNotMatch/ });
  const http = createHttpExchanger();
  t.after(() => http.close());
  const answers = [503, 429, 409, 400];
  const codes = [];
  for (const status of answers) {
    const answering = {
      ...http,
      exchange: async () => ({
        status,
        headers: new Map<string, string>(),
        body: inPieces(utf8("x"), 1),
      }),
    };
    const account = { endpoint: "http://h", region: "r", accessKeyId: "a", secretAccessKey: "s" };
    const fake = new S3Endpoint(answering, createClock(), account);
    codes.push(await fake.call({ ...call("a"), method: "GET" }).catch(({ code }) => code));
  }
  assert.deepEqual(codes, ["unavailable", "unavailable", "conflict", "invalid"]);
});
