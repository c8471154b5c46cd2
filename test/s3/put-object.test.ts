// PutObject, by its page of the Amazon S3 API reference.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { crc32 } from "node:zlib";
import { Caller, pathOf } from "./caller.ts";
import { makeBucket, startCluster, type TestCluster } from "./harness.ts";

let cluster: TestCluster;
let s3: Caller;
let bucket: string;

before(async () => {
  cluster = await startCluster();
  s3 = new Caller(cluster);
  bucket = await makeBucket(s3);
});
after(() => cluster.stop());

function md5(body: Uint8Array | string, encoding: "hex" | "base64" = "hex"): string {
  return createHash("md5").update(body).digest(encoding);
}

function crc32Text(body: Uint8Array): string {
  const digest = Buffer.alloc(4);
  digest.writeUInt32BE(crc32(body));
  return digest.toString("base64");
}

for (const size of [0, 1, 16_384, 16_385, 300_000]) {
  test(`stores ${size} bytes and gives them back`, async () => {
    const body = randomBytes(size);
    const put = await s3.put(bucket, `size-${size}`, body);
    assert.equal(put.status, 200, put.text);
    assert.equal(put.headers.get("etag"), `"${md5(body)}"`);
    assert.equal(put.body.byteLength, 0);
    assert.ok(put.headers.get("x-amz-request-id"));
    assert.ok(put.headers.get("x-amz-id-2"));
    const get = await s3.get(bucket, `size-${size}`);
    assert.equal(get.status, 200);
    assert.deepEqual(get.body, body);
  });
}

test("keeps system headers and user metadata", async () => {
  const headers = [
    ["Content-Type", "text/plain; charset=utf-8"],
    ["Cache-Control", "no-cache"],
    ["Content-Disposition", 'attachment; filename="a.txt"'],
    ["Content-Encoding", "gzip"],
    ["Content-Language", "de"],
    ["Expires", "Thu, 01 Dec 1994 16:00:00 GMT"],
    ["x-amz-meta-Colour", "blue"],
    ["x-amz-meta-__proto__", "a header like any other"],
  ] as const;
  const target = pathOf(bucket, "with headers");
  assert.equal((await s3.call({ method: "PUT", target, headers, body: "x" })).status, 200);
  const get = await s3.call({ target });
  for (const [name, value] of headers) assert.equal(get.headers.get(name.toLowerCase()), value);
});

test("defaults to binary/octet-stream", async () => {
  await s3.put(bucket, "plain", "x");
  const get = await s3.get(bucket, "plain");
  assert.equal(get.headers.get("content-type"), "binary/octet-stream");
});

test("refuses a body that is not what Content-MD5 says, and keeps the old object", async () => {
  await s3.put(bucket, "md5", "old");
  const target = pathOf(bucket, "md5");
  const wrong = [["Content-MD5", md5("something else", "base64")]] as const;
  const refused = await s3.call({ method: "PUT", target, headers: wrong, body: "new" });
  assert.equal(refused.status, 400);
  assert.equal(refused.code, "BadDigest");
  assert.equal((await s3.get(bucket, "md5")).text, "old");
  const right = [["Content-MD5", md5("new", "base64")]] as const;
  assert.equal((await s3.call({ method: "PUT", target, headers: right, body: "new" })).status, 200);
});

test("refuses a Content-MD5 that is none", async () => {
  const target = pathOf(bucket, "md5-malformed");
  for (const value of ["", "abc", "x".repeat(24), md5("x")]) {
    const headers = [["Content-MD5", value]] as const;
    const refused = await s3.call({ method: "PUT", target, headers, body: "x" });
    assert.equal(refused.status, 400, value);
    assert.equal(refused.code, "InvalidDigest", value);
  }
  assert.equal((await s3.get(bucket, "md5-malformed")).status, 404);
});

test("checks, stores and returns a checksum", async () => {
  const body = randomBytes(40_000);
  const target = pathOf(bucket, "checksum");
  const headers = [["x-amz-checksum-crc32", crc32Text(body)]] as const;
  const put = await s3.call({ method: "PUT", target, headers, body });
  assert.equal(put.status, 200, put.text);
  assert.equal(put.headers.get("x-amz-checksum-crc32"), crc32Text(body));
  assert.equal(put.headers.get("x-amz-checksum-type"), "FULL_OBJECT");
  assert.equal((await s3.call({ target })).headers.get("x-amz-checksum-crc32"), undefined);
  const mode = [["x-amz-checksum-mode", "ENABLED"]] as const;
  const get = await s3.call({ target, headers: mode });
  assert.equal(get.headers.get("x-amz-checksum-crc32"), crc32Text(body));
  const refused = await s3.call({ method: "PUT", target, headers, body: randomBytes(40_000) });
  assert.equal(refused.status, 400);
  assert.equal(refused.code, "BadDigest");
  assert.deepEqual((await s3.call({ target })).body, body);
});

test("refuses two checksums, unknown ones and malformed ones", async () => {
  const target = pathOf(bucket, "checksum-refused");
  const cases = [
    [
      ["x-amz-checksum-crc32", "AAAAAA=="],
      ["x-amz-checksum-sha1", "2jmj7l5rSw0yVb/vlWAYkK/YBwk="],
    ],
    [["x-amz-checksum-md4", "AAAA"]],
    [["x-amz-checksum-crc32", "AAAA"]],
    [["x-amz-sdk-checksum-algorithm", "CRC32"]],
  ] as const;
  for (const headers of cases) {
    const refused = await s3.call({ method: "PUT", target, headers, body: "" });
    assert.equal(refused.code, "InvalidRequest", JSON.stringify(headers));
    assert.equal(refused.status, 400);
  }
  assert.equal((await s3.call({ target })).status, 404);
});

test("refuses a body that is not the signed one", async () => {
  const target = pathOf(bucket, "signed-body");
  const call = { method: "PUT", target, body: "signed", wireBody: Buffer.from("edited") };
  const refused = await s3.call(call);
  assert.equal(refused.status, 400);
  assert.equal(refused.code, "XAmzContentSHA256Mismatch");
  assert.equal((await s3.call({ target })).status, 404);
});

test("takes an unsigned payload", async () => {
  const target = pathOf(bucket, "unsigned");
  const call = { method: "PUT", target, body: "x", payloadHash: "UNSIGNED-PAYLOAD" };
  assert.equal((await s3.call(call)).status, 200);
  assert.equal((await s3.call({ target })).text, "x");
});

test("needs Content-Length", async () => {
  const target = pathOf(bucket, "no-length");
  const bare = await s3.call({ method: "PUT", target, contentLength: "none" });
  assert.equal(bare.status, 411);
  assert.equal(bare.code, "MissingContentLength");
  const headers = [["Transfer-Encoding", "chunked"]] as const;
  const wireBody = Buffer.from("1\r\nx\r\n0\r\n\r\n");
  const call = { method: "PUT", target, headers, body: "x", wireBody } as const;
  const chunked = await s3.call({ ...call, contentLength: "none" });
  assert.equal(chunked.status, 411);
  assert.equal(chunked.code, "MissingContentLength");
});

test("refuses more than 5 GiB before it is sent", async () => {
  const target = pathOf(bucket, "huge");
  for (const contentLength of [5 * 1024 ** 3 + 1, 2 ** 53, 2 ** 60]) {
    const refused = await s3.call({ method: "PUT", target, contentLength });
    assert.equal(refused.status, 400);
    assert.equal(refused.code, "EntityTooLarge");
  }
});

test("creates only once with If-None-Match", async () => {
  const target = pathOf(bucket, "once");
  const headers = [["If-None-Match", "*"]] as const;
  assert.equal((await s3.call({ method: "PUT", target, headers, body: "1" })).status, 200);
  const refused = await s3.call({ method: "PUT", target, headers, body: "2" });
  assert.equal(refused.status, 412);
  assert.equal(refused.code, "PreconditionFailed");
  assert.match(refused.text, /<Condition>If-None-Match<\/Condition>/);
  assert.equal((await s3.call({ target })).text, "1");
});

test("lets one of many concurrent creations win", async () => {
  const target = pathOf(bucket, "race");
  const headers = [["If-None-Match", "*"]] as const;
  const answers = await Promise.all(
    Array.from({ length: 8 }, (_, index) =>
      s3.call({ method: "PUT", target, headers, body: `writer ${index}` }),
    ),
  );
  const winners = answers.flatMap(({ status }, index) => (status === 200 ? [index] : []));
  assert.equal(winners.length, 1);
  assert.equal((await s3.call({ target })).text, `writer ${winners[0]}`);
});

test("compares and swaps with If-Match", async () => {
  const target = pathOf(bucket, "swap");
  const missing = await s3.call({
    method: "PUT",
    target,
    headers: [["If-Match", `"${md5("1")}"`]],
    body: "2",
  });
  assert.equal(missing.status, 404);
  assert.equal(missing.code, "NoSuchKey");
  await s3.call({ method: "PUT", target, body: "1" });
  const swap = (etag: string, body: string): ReturnType<Caller["call"]> =>
    s3.call({ method: "PUT", target, headers: [["If-Match", etag]], body });
  assert.equal((await swap(`"${md5("1")}"`, "2")).status, 200);
  assert.equal((await swap(`"${md5("1")}"`, "3")).status, 412);
  assert.equal((await swap("*", "4")).status, 200);
  assert.equal((await s3.call({ target })).text, "4");
});

test("refuses conditions that S3 does not have on writes", async () => {
  const target = pathOf(bucket, "condition");
  for (const header of [
    ["If-None-Match", '"abc"'],
    ["If-Modified-Since", "Thu, 01 Dec 1994 16:00:00 GMT"],
    ["If-Match", '"a", "b"'],
  ] as const) {
    const refused = await s3.call({ method: "PUT", target, headers: [header], body: "x" });
    assert.equal(refused.status, 501, header[0]);
    assert.equal(refused.code, "NotImplemented");
  }
});

test("refuses metadata over 2 KB, and long keys", async () => {
  const target = pathOf(bucket, "metadata");
  const headers = [["x-amz-meta-a", "x".repeat(2048)]] as const;
  const refused = await s3.call({ method: "PUT", target, headers, body: "x" });
  assert.equal(refused.status, 400);
  assert.equal(refused.code, "MetadataTooLarge");
  assert.equal((await s3.put(bucket, "k".repeat(1024), "x")).status, 200);
  const long = await s3.put(bucket, "k".repeat(1025), "x");
  assert.equal(long.status, 400);
  assert.equal(long.code, "KeyTooLongError");
});

test("knows storage classes", async () => {
  const target = pathOf(bucket, "class");
  const put = (name: string): ReturnType<Caller["call"]> =>
    s3.call({ method: "PUT", target, headers: [["x-amz-storage-class", name]], body: "x" });
  assert.equal((await put("STANDARD")).status, 200);
  assert.equal((await s3.call({ target })).headers.get("x-amz-storage-class"), undefined);
  assert.equal((await put("STANDARD_IA")).status, 200);
  assert.equal((await s3.call({ target })).headers.get("x-amz-storage-class"), "STANDARD_IA");
  const refused = await put("CHEAPEST");
  assert.equal(refused.status, 400);
  assert.equal(refused.code, "InvalidStorageClass");
});

test("refuses what would be a promise it does not keep", async () => {
  const target = pathOf(bucket, "promise");
  const cases = [
    ["x-amz-server-side-encryption", "aws:kms:dsse", 501, "NotImplemented"],
    ["x-amz-server-side-encryption-customer-algorithm", "AES256", 400, "InvalidArgument"],
    ["x-amz-object-lock-mode", "COMPLIANCE", 400, "InvalidArgument"],
    ["x-amz-object-lock-legal-hold", "ON", 400, "InvalidRequest"],
    ["x-amz-acl", "public-read", 400, "AccessControlListNotSupported"],
    ["x-amz-grant-read", "id=someone", 400, "AccessControlListNotSupported"],
  ] as const;
  for (const [name, value, status, code] of cases) {
    const headers = [[name, value]] as const;
    const refused = await s3.call({ method: "PUT", target, headers, body: "x" });
    assert.equal(refused.status, status, name);
    assert.equal(refused.code, code, name);
  }
  const sub = await s3.call({ method: "PUT", target: `${target}?torrent`, body: "x" });
  assert.equal(sub.status, 501);
  assert.equal((await s3.call({ target })).status, 404);
});

test("answers NoSuchBucket before it takes the body", async () => {
  const refused = await s3.put("no-such-bucket-at-all", "key", randomBytes(100_000));
  assert.equal(refused.status, 404);
  assert.equal(refused.code, "NoSuchBucket");
});

test("keeps keys byte for byte", async () => {
  const keys = [
    "a//b",
    "//",
    "a/../b",
    "./c",
    "%2e%2e",
    "+ &=?#",
    "ü",
    "u\u0308",
    "\u202e",
    "__proto__",
  ];
  for (const key of [...keys, "trailing/", "quote\"'<>", "\u{1f600}", "a\tb", "soap"]) {
    assert.equal((await s3.put(bucket, key, key)).status, 200, JSON.stringify(key));
    assert.equal((await s3.get(bucket, key)).text, key, JSON.stringify(key));
  }
});
