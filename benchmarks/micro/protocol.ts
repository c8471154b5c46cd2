// What a request costs before and beside its bytes: `node benchmarks/micro/protocol.ts`. Prints
// microseconds an operation, the best of five rounds.
import { createHash } from "node:crypto";
import process from "node:process";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { cellChecksum } from "../../services/lib/erasure/checksum.ts";
import { VersionSchema } from "../../services/lib/gen/dolium/record/v1/object_pb.ts";
import { HeaderList } from "../../services/lib/s3/headers.ts";
import { parseRequestTarget } from "../../services/lib/s3/request-target.ts";
import { parseAuthorization } from "../../services/lib/s3/sigv4/claim.ts";
import { UNSIGNED_PAYLOAD } from "../../services/lib/s3/sigv4/payload-hash.ts";
import { signHeaders } from "../../services/lib/s3/sigv4/sign.ts";
import { SigningKeyCache } from "../../services/lib/s3/sigv4/signing-key.ts";
import { verifyV4 } from "../../services/lib/s3/sigv4/verify.ts";
import { bodyOf } from "../load/body-source.ts";

const ROUNDS = 5;
const ROUND_MS = 200;

function timed(what: string, work: () => unknown): void {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round += 1) {
    const start = performance.now();
    let count = 0;
    let now = start;
    for (; now - start < ROUND_MS; now = performance.now()) {
      for (let at = 0; at < 16; at += 1) work();
      count += 16;
    }
    best = Math.min(best, ((now - start) * 1000) / count);
  }
  process.stdout.write(`${what.padEnd(44)} ${best.toFixed(2).padStart(10)} us\n`);
}

const cell = bodyOf(256 * 1024);
const small = cell.subarray(0, 4096);
const chunkId = cell.subarray(0, 16);
const host: readonly [string, string] = ["Host", "127.0.0.1:9000"];
const request = {
  method: "PUT",
  target: "/bucket/folder/key%20of%20some%20length",
  headers: [host],
};
const identity = { accessKeyId: "key", secret: "secret", region: "us-east-1", nowMs: 1.8e12 };
const version = create(VersionSchema, {
  versionId: chunkId,
  size: 4096n,
  etag: "0".repeat(32),
  storageClass: "STANDARD",
  body: { case: "inline", value: small },
});
const encoded = toBinary(VersionSchema, version);

timed("signature version 4, headers", () => signHeaders(request, identity, UNSIGNED_PAYLOAD));
const signed = signHeaders(request, identity, UNSIGNED_PAYLOAD).headers;
const signingKeys = new SigningKeyCache(1);
timed("signature version 4, read and verified", () => {
  const headers = new HeaderList(signed);
  const target = parseRequestTarget(request.target);
  const claim = parseAuthorization(headers, target.query);
  if (claim.kind !== "v4-header") throw new Error("a signature in the headers was made");
  const { region, secret, nowMs } = identity;
  const options = { region, secret, nowMs, strictRegion: true, signingKeys };
  return verifyV4(claim, { method: request.method, target, headers }, options);
});
timed("request target and header list", () => {
  parseRequestTarget(request.target);
  return new HeaderList([host, ["x-amz-date", "20260101T000000Z"]]);
});
timed("checksum of a cell of 256 KiB", () => cellChecksum(chunkId, 1, 2, cell));
timed("MD5 of 4 KiB", () => createHash("md5").update(small).digest());
timed("MD5 of 256 KiB", () => createHash("md5").update(cell).digest());
timed("SHA-256 of 256 KiB", () => createHash("sha256").update(cell).digest());
timed("version with 4 KiB inline, encoded", () => toBinary(VersionSchema, version));
timed("version with 4 KiB inline, decoded", () => fromBinary(VersionSchema, encoded));
