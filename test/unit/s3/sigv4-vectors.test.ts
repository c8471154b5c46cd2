// The signature examples of the Amazon S3 API reference ("Signature Calculations for the
// Authorization Header", "Using Query Parameters", "Multiple Chunks", "Including Trailing
// Headers"), signed and verified.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { ChunkedDecoder } from "../../../services/lib/s3/chunked/chunked-decoder.ts";
import { isS3Error } from "../../../services/lib/s3/errors.ts";
import { type HeaderField, HeaderList } from "../../../services/lib/s3/headers.ts";
import { parseAmzDate } from "../../../services/lib/s3/http-date.ts";
import { parseRequestTarget } from "../../../services/lib/s3/request-target.ts";
import { parseAuthorization } from "../../../services/lib/s3/sigv4/claim.ts";
import { ChunkSigner, presign, signHeaders } from "../../../services/lib/s3/sigv4/sign.ts";
import { type VerifiedV4, verifyV4 } from "../../../services/lib/s3/sigv4/verify.ts";

const NOW_MS = parseAmzDate("20130524T000000Z") ?? Number.NaN;
const IDENTITY = {
  accessKeyId: "AKIAIOSFODNN7EXAMPLE",
  secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
  region: "us-east-1",
  nowMs: NOW_MS,
};
const HOST: HeaderField = ["Host", "examplebucket.s3.amazonaws.com"];

interface Call {
  readonly method: string;
  readonly target: string;
  readonly headers: readonly HeaderField[];
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function verify(call: Call, nowMs: number = NOW_MS): VerifiedV4 {
  const target = parseRequestTarget(call.target);
  const headers = new HeaderList(call.headers);
  const claim = parseAuthorization(headers, target.query);
  assert.ok(claim.kind === "v4-header" || claim.kind === "v4-query");
  const options = { secret: IDENTITY.secret, nowMs, region: "us-east-1", strictRegion: true };
  return verifyV4(claim, { method: call.method, target, headers }, options);
}

const EXAMPLES = [
  {
    name: "GET object with a range",
    call: { method: "GET", target: "/test.txt", headers: [HOST, ["Range", "bytes=0-9"]] },
    body: "",
    signature: "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
  },
  {
    name: "PUT object with a dollar sign in its key",
    call: {
      method: "PUT",
      target: "/test$file.text",
      headers: [
        HOST,
        ["Date", "Fri, 24 May 2013 00:00:00 GMT"],
        ["x-amz-storage-class", "REDUCED_REDUNDANCY"],
      ],
    },
    body: "Welcome to Amazon S3.",
    signature: "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
  },
  {
    name: "GET bucket lifecycle",
    call: { method: "GET", target: "/?lifecycle", headers: [HOST] },
    body: "",
    signature: "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
  },
  {
    name: "GET bucket, a listing",
    call: { method: "GET", target: "/?max-keys=2&prefix=J", headers: [HOST] },
    body: "",
    signature: "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
  },
] as const;

for (const { name, call, body, signature } of EXAMPLES) {
  test(`documented example: ${name}`, () => {
    const signed = signHeaders(call, IDENTITY, sha256(body));
    assert.equal(signed.seedSignature, signature);
    const verified = verify({ ...call, headers: signed.headers });
    assert.equal(verified.seedSignature, signature);
    assert.equal(verified.accessKeyId, IDENTITY.accessKeyId);
    assert.equal(verified.payload.kind, "hashed");
  });
}

test("documented example: presigned GET", () => {
  const call = { method: "GET", target: "/test.txt", headers: [HOST] };
  const target = presign(call, IDENTITY, 86_400);
  assert.ok(
    target.endsWith("aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"),
    target,
  );
  assert.equal(verify({ ...call, target }).payload.kind, "unsigned");
  assert.throws(
    () => verify({ ...call, target }, NOW_MS + 86_400_001),
    (error) => isS3Error(error, "AccessDenied") && error.message === "Request has expired",
  );
});

const CHUNKED_HEADERS: readonly HeaderField[] = [
  ["Host", "s3.amazonaws.com"],
  ["x-amz-storage-class", "REDUCED_REDUNDANCY"],
  ["Content-Encoding", "aws-chunked"],
  ["x-amz-decoded-content-length", "66560"],
];
const CHUNK_SIZES = [65_536, 1024];

function decode(body: Buffer, verified: VerifiedV4, trailerNames: readonly string[]): number {
  assert.ok(verified.payload.kind === "chunked");
  const decoder = new ChunkedDecoder({
    decodedBytes: 66_560,
    signing: verified,
    trailer: verified.payload.trailer,
    trailerNames,
  });
  const bytes = decoder.push(body).reduce((sum, view) => sum + view.byteLength, 0);
  const trailers = decoder.finish();
  assert.deepEqual([...trailers.keys()], trailerNames);
  return bytes;
}

test("documented example: chunked upload", () => {
  const headers: HeaderField[] = [...CHUNKED_HEADERS, ["Content-Length", "66824"]];
  const call = { method: "PUT", target: "/examplebucket/chunkObject.txt", headers };
  const signed = signHeaders(call, IDENTITY, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
  assert.equal(
    signed.seedSignature,
    "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
  );
  const signer = new ChunkSigner(signed);
  const frames = CHUNK_SIZES.map((size) => signer.chunk(Buffer.alloc(size, "a")));
  frames.push(signer.end());
  const signatures = frames.map((frame) => /chunk-signature=(\w+)/.exec(frame.toString())?.[1]);
  assert.deepEqual(signatures, [
    "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
    "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
    "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
  ]);
  const body = Buffer.concat(frames);
  assert.equal(body.byteLength, 66_824);
  assert.equal(decode(body, verify({ ...call, headers: signed.headers }), []), 66_560);
});

test("documented example: chunked upload with a trailer", () => {
  const trailer: HeaderField = ["x-amz-checksum-crc32c", "sOO8/Q=="];
  const headers: HeaderField[] = [...CHUNKED_HEADERS, ["x-amz-trailer", trailer[0]]];
  const call = { method: "PUT", target: "/examplebucket/chunkObject.txt", headers };
  const signed = signHeaders(call, IDENTITY, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER");
  assert.equal(
    signed.seedSignature,
    "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
  );
  const signer = new ChunkSigner(signed);
  const frames = CHUNK_SIZES.map((size) => signer.chunk(Buffer.alloc(size, "a")));
  const end = signer.end([trailer]);
  const body = Buffer.concat([...frames, end]);
  const text = body.toString("latin1");
  assert.deepEqual(
    [...text.matchAll(/signature[=:](\w+)/g)].map((match) => match[1]),
    [
      "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
      "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
      "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
      "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435",
    ],
  );
  const verified = verify({ ...call, headers: signed.headers });
  assert.equal(decode(body, verified, [trailer[0]]), 66_560);
  // The form of the AWS page's grammar, which some clients send: a bare line feed, then CRLF.
  const other = Buffer.from(text.replace("sOO8/Q==\r\n", "sOO8/Q==\n\r\n"), "latin1");
  assert.equal(decode(other, verified, [trailer[0]]), 66_560);
});
