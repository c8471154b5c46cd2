// The AWS SDK's own requests, taken off the wire before they leave, through the whole library:
// target, address, signature, body framing, checksums; and its parsers over our documents.
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { before, describe, test } from "node:test";
import {
  CompleteMultipartUploadCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  type ChecksumAlgorithm as SdkChecksumAlgorithm,
} from "@aws-sdk/client-s3";
import { resolveAddress } from "../../../services/lib/s3/addressing.ts";
import {
  checkChecksum,
  parseChecksumHeaders,
  parseChecksumValue,
} from "../../../services/lib/s3/checksum-headers.ts";
import {
  type ChecksumFactory,
  HasherSet,
  loadChecksums,
} from "../../../services/lib/s3/checksums.ts";
import { ChunkedDecoder } from "../../../services/lib/s3/chunked/chunked-decoder.ts";
import { S3Error, s3ErrorDocument } from "../../../services/lib/s3/errors.ts";
import { type HeaderField, HeaderList } from "../../../services/lib/s3/headers.ts";
import { parseDecimal } from "../../../services/lib/s3/integers.ts";
import { listObjectsV2Document } from "../../../services/lib/s3/list-documents.ts";
import {
  collectSystemHeaders,
  collectUserMetadata,
} from "../../../services/lib/s3/object-headers.ts";
import { parseRequestTarget, requestAuthority } from "../../../services/lib/s3/request-target.ts";
import { parseAuthorization } from "../../../services/lib/s3/sigv4/claim.ts";
import { type VerifiedV4, verifyV4 } from "../../../services/lib/s3/sigv4/verify.ts";
import {
  parseCompleteMultipartUpload,
  parseDelete,
} from "../../../services/lib/s3/xml-requests.ts";

/** What the SDK computes by itself; for the others it wants an implementation. */
const SDK_ALGORITHMS = ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"] as const;

const SECRET = "secret+/=";
const KEY = "a//../b c+é😀%2F\u0001$&@=;:?,~*'()";

/** What the SDK hands to its transport; the parts looked at. */
interface SdkRequest {
  readonly method: string;
  readonly path: string;
  readonly query?: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

interface Received {
  readonly address: ReturnType<typeof resolveAddress>;
  readonly headers: HeaderList;
  readonly verified: VerifiedV4;
  readonly body: Buffer;
}

interface Answer {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readable;
}

async function bodyOf(body: unknown): Promise<Buffer> {
  if (body === undefined || body === null) return Buffer.alloc(0);
  if (typeof body === "string" || body instanceof Uint8Array) return Buffer.from(body);
  assert.ok(body instanceof Readable, "unknown body");
  const pieces: Buffer[] = [];
  for await (const piece of body) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

function targetOf({ path, query }: SdkRequest): string {
  const pairs = Object.entries(query ?? {}).map(([name, value]) =>
    value === "" || value === null
      ? encodeURIComponent(name)
      : `${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`,
  );
  return pairs.length === 0 ? path : `${path}?${pairs.join("&")}`;
}

async function receive(request: SdkRequest): Promise<Received> {
  const target = parseRequestTarget(targetOf(request));
  const headers = new HeaderList(
    Object.entries(request.headers).map(([name, value]): HeaderField => [name, value]),
  );
  const address = resolveAddress(target, requestAuthority(target, headers), {
    serviceNames: [{ name: "s3.example.org", port: 9000 }],
  });
  const claim = parseAuthorization(headers, target.query);
  assert.ok(claim.kind === "v4-header");
  const verified = verifyV4(
    claim,
    { method: request.method, target, headers },
    { secret: SECRET, nowMs: Date.now(), region: "eu-1", strictRegion: true },
  );
  return { address, headers, verified, body: await bodyOf(request.body) };
}

/** A client whose requests end in `answer` instead of the network. */
function clientWith(
  answer: (received: Received) => string,
  settings: { readonly forcePathStyle?: boolean; readonly statusCode?: number } = {},
): S3Client {
  return new S3Client({
    region: "eu-1",
    endpoint: "http://s3.example.org:9000",
    forcePathStyle: settings.forcePathStyle ?? false,
    maxAttempts: 1,
    credentials: { accessKeyId: "token/with=slash", secretAccessKey: SECRET },
    requestHandler: {
      async handle(request: SdkRequest): Promise<{ response: Answer }> {
        const body = Readable.from([Buffer.from(answer(await receive(request)))]);
        const headers = { "content-type": "application/xml" };
        return { response: { statusCode: settings.statusCode ?? 200, headers, body } };
      },
    },
  });
}

let factory: ChecksumFactory;
before(async () => {
  factory = await loadChecksums();
});

/** Unframes and checks a body as a gateway does; returns the payload. */
function readBody({ headers, verified, body }: Received): Buffer {
  const checksum = parseChecksumHeaders(headers);
  assert.ok(checksum);
  const hashers = new HasherSet(factory, [checksum.algorithm]);
  let payload = body;
  let trailers: ReadonlyMap<string, string> = new Map();
  if (verified.payload.kind === "chunked") {
    const { signed, trailer } = verified.payload;
    const decoder = new ChunkedDecoder({
      decodedBytes: parseDecimal(headers.get("x-amz-decoded-content-length") ?? "") ?? -1,
      signing: signed ? verified : undefined,
      trailer,
      trailerNames: checksum.value.kind === "trailer" ? [checksum.value.name] : [],
    });
    payload = Buffer.concat(decoder.push(body));
    trailers = decoder.finish();
  }
  hashers.update(payload);
  const { algorithm, value } = checksum;
  const expected =
    value.kind === "header"
      ? value.digest
      : parseChecksumValue(algorithm, value.name, trailers.get(value.name) ?? "");
  checkChecksum(algorithm, expected, hashers.digest(algorithm));
  return payload;
}

describe("requests of the SDK", () => {
  for (const forcePathStyle of [true, false]) {
    for (const streamed of [true, false]) {
      for (const algorithm of [undefined, ...SDK_ALGORITHMS]) {
        const name = `PUT, path style ${forcePathStyle}, streamed ${streamed}, ${algorithm ?? "default"}`;
        test(name, async () => {
          const payload = Buffer.alloc(100_000, "dolium ");
          const seen: Buffer[] = [];
          const client = clientWith(
            (received) => {
              assert.equal(received.address.bucket, "my-bucket");
              assert.equal(received.address.key, KEY);
              assert.equal(received.verified.accessKeyId, "token/with=slash");
              assert.equal(collectSystemHeaders(received.headers).contentEncoding, "gzip");
              assert.deepEqual(collectUserMetadata(received.headers), [
                { name: "a", value: "b  c" },
              ]);
              seen.push(readBody(received));
              return "";
            },
            { forcePathStyle },
          );
          await client.send(
            new PutObjectCommand({
              Bucket: "my-bucket",
              Key: KEY,
              Body: streamed
                ? Readable.from([payload.subarray(0, 7), payload.subarray(7)])
                : payload,
              ContentLength: payload.byteLength,
              ContentEncoding: "gzip",
              Metadata: { A: "b  c" },
              ...(algorithm === undefined
                ? {}
                : { ChecksumAlgorithm: algorithm satisfies SdkChecksumAlgorithm }),
            }),
          );
          assert.deepEqual(seen, [payload]);
        });
      }
    }
  }

  test("DeleteObjects and CompleteMultipartUpload bodies", async () => {
    const keys = ["a<&>\r\n", " b ", "__proto__", "é😀"];
    const deletes = clientWith((received) => {
      const { entries, quiet } = parseDelete(readBody(received));
      assert.deepEqual(
        entries.map(({ key }) => key),
        keys,
      );
      assert.equal(quiet, true);
      return "<DeleteResult/>";
    });
    await deletes.send(
      new DeleteObjectsCommand({
        Bucket: "my-bucket",
        Delete: { Objects: keys.map((Key) => ({ Key })), Quiet: true },
      }),
    );
    const completes = clientWith((received) => {
      const [part] = parseCompleteMultipartUpload(received.body, { lenient: false });
      assert.equal(part?.partNumber, 3);
      assert.equal(part?.etag, "e");
      assert.deepEqual(part?.checksums.get("CRC32"), Buffer.from("cbf43926", "hex"));
      return "<CompleteMultipartUploadResult/>";
    });
    await completes.send(
      new CompleteMultipartUploadCommand({
        Bucket: "my-bucket",
        Key: "k",
        UploadId: "u",
        MultipartUpload: { Parts: [{ PartNumber: 3, ETag: '"e"', ChecksumCRC32: "y/Q5Jg==" }] },
      }),
    );
  });
});

describe("answers to the SDK", () => {
  test("a listing", async () => {
    const client = clientWith((received) => {
      assert.equal(received.address.key, undefined);
      return listObjectsV2Document({
        bucket: "my-bucket",
        prefix: "",
        delimiter: "/",
        maxKeys: 10,
        encodingType: undefined,
        isTruncated: true,
        commonPrefixes: ["p/"],
        startAfter: undefined,
        continuationToken: undefined,
        nextContinuationToken: "t",
        objects: [
          { key: "a<&>\r b", lastModifiedMs: 1000, etag: "e", size: 5, storageClass: "STANDARD" },
        ],
      });
    });
    const page = await client.send(
      new ListObjectsV2Command({ Bucket: "my-bucket", Delimiter: "/" }),
    );
    assert.equal(page.Contents?.[0]?.Key, "a<&>\r b");
    assert.equal(page.Contents?.[0]?.ETag, '"e"');
    assert.equal(page.Contents?.[0]?.LastModified?.getTime(), 1000);
    assert.equal(page.CommonPrefixes?.[0]?.Prefix, "p/");
    assert.equal(page.NextContinuationToken, "t");
    assert.equal(page.KeyCount, 2);
  });

  test("an error", async () => {
    const error = new S3Error("NoSuchKey", undefined, { details: [["Key", "k"]] });
    const document = s3ErrorDocument(error, { resource: "/b/k", requestId: "r1", hostId: "h" });
    const client = clientWith(() => document, { statusCode: error.status });
    await assert.rejects(
      client.send(new GetObjectCommand({ Bucket: "my-bucket", Key: "k" })),
      (thrown: unknown) =>
        thrown instanceof Error &&
        thrown.name === "NoSuchKey" &&
        thrown.message === "The specified key does not exist.",
    );
  });
});
