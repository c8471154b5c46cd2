// Multipart uploads: create, upload, copy, list, complete, abort, and everything they refuse.
// Actions: CreateMultipartUpload, UploadPart, UploadPartCopy, CompleteMultipartUpload,
// AbortMultipartUpload, ListParts, ListMultipartUploads.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { crc32 } from "node:zlib";
import { type Answer, Caller, pathOf, textAt, textsOf } from "./caller.ts";
import { makeBucket, startCluster, type TestCluster } from "./harness.ts";

const FIVE_MIB = 5 * 1024 * 1024;
const PARTS = [randomBytes(FIVE_MIB), randomBytes(FIVE_MIB + 1), randomBytes(1000)];
const WHOLE = Buffer.concat(PARTS);

let cluster: TestCluster;
let s3: Caller;
let bucket: string;

before(async () => {
  cluster = await startCluster();
  s3 = new Caller(cluster);
  bucket = await makeBucket(s3);
});
after(() => cluster.stop());

type Headers = readonly (readonly [string, string])[];

async function create(key: string, headers: Headers = []): Promise<string> {
  const answer = await s3.call({
    method: "POST",
    target: `${pathOf(bucket, key)}?uploads`,
    headers,
  });
  assert.equal(answer.status, 200, answer.text);
  const uploadId = textAt(answer.xml(), "UploadId");
  assert.ok(uploadId);
  return uploadId;
}

function upload(
  place: { readonly key: string; readonly uploadId: string; readonly number: number | string },
  body: Uint8Array | string,
  headers: Headers = [],
): Promise<Answer> {
  const query = `?partNumber=${place.number}&uploadId=${place.uploadId}`;
  return s3.call({ method: "PUT", target: pathOf(bucket, place.key) + query, body, headers });
}

interface NamedPart {
  readonly number: number;
  readonly etag: string;
  readonly more?: string;
}

function complete(
  key: string,
  uploadId: string,
  parts: readonly NamedPart[],
  headers: Headers = [],
): Promise<Answer> {
  const rows = parts.map(
    ({ number, etag, more = "" }) =>
      `<Part><PartNumber>${number}</PartNumber><ETag>${etag}</ETag>${more}</Part>`,
  );
  const body = `<CompleteMultipartUpload>${rows.join("")}</CompleteMultipartUpload>`;
  const target = `${pathOf(bucket, key)}?uploadId=${uploadId}`;
  return s3.call({ method: "POST", target, body, headers });
}

function md5(body: Uint8Array): Buffer {
  return createHash("md5").update(body).digest();
}

function crc32Bytes(body: Uint8Array): Buffer {
  const digest = Buffer.alloc(4);
  digest.writeUInt32BE(crc32(body));
  return digest;
}

async function uploadAll(key: string, uploadId: string): Promise<NamedPart[]> {
  const named: NamedPart[] = [];
  for (const [index, body] of PARTS.entries()) {
    const answer = await upload({ key, uploadId, number: index + 1 }, body);
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.headers.get("etag"), `"${md5(body).toString("hex")}"`);
    named.push({ number: index + 1, etag: answer.headers.get("etag") ?? "" });
  }
  return named;
}

const ETAG = `"${createHash("md5")
  .update(Buffer.concat(PARTS.map(md5)))
  .digest("hex")}-3"`;

test("assembles parts, serves them whole, by range and by number", async () => {
  const key = "whole";
  const uploadId = await create(key, [
    ["Content-Type", "video/mp4"],
    ["x-amz-meta-a", "b"],
  ]);
  const named = await uploadAll(key, uploadId);
  assert.equal((await s3.get(bucket, key)).status, 404);
  const done = await complete(key, uploadId, named);
  assert.equal(done.status, 200, done.text);
  assert.equal(textAt(done.xml(), "ETag"), ETAG);
  const get = await s3.get(bucket, key);
  assert.equal(get.headers.get("etag"), ETAG);
  assert.equal(get.headers.get("content-type"), "video/mp4");
  assert.equal(get.headers.get("x-amz-meta-a"), "b");
  assert.ok(get.body.equals(WHOLE));
  const across = `bytes=${FIVE_MIB - 10}-${FIVE_MIB + 9}`;
  const range = await s3.get(bucket, key, [["Range", across]]);
  assert.ok(range.body.equals(WHOLE.subarray(FIVE_MIB - 10, FIVE_MIB + 10)));
  const tail = await s3.get(bucket, key, [["Range", "bytes=-1001"]]);
  assert.ok(tail.body.equals(WHOLE.subarray(WHOLE.byteLength - 1001)));
  for (const [index, body] of PARTS.entries()) {
    for (const method of ["GET", "HEAD"]) {
      const part = await s3.call({
        method,
        target: `${pathOf(bucket, key)}?partNumber=${index + 1}`,
      });
      assert.equal(part.status, 206);
      assert.equal(part.headers.get("x-amz-mp-parts-count"), "3");
      assert.equal(part.headers.get("content-length"), String(body.byteLength));
      if (method === "GET") assert.ok(part.body.equals(body));
    }
  }
  const fourth = await s3.call({ target: `${pathOf(bucket, key)}?partNumber=4` });
  assert.equal(fourth.status, 416);
  // The answer got lost: the same request gets the same answer.
  const again = await complete(key, uploadId, named);
  assert.equal(again.status, 200, again.text);
  assert.equal(textAt(again.xml(), "ETag"), ETAG);
  const different = await complete(key, uploadId, named.slice(0, 1));
  assert.equal(different.code, "NoSuchUpload");
});

test("refuses to complete with wrong parts, and the upload lives on", async () => {
  const key = "refused";
  const uploadId = await create(key);
  const named = await uploadAll(key, uploadId);
  const [first, second, third] = named;
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  const cases: readonly (readonly [readonly NamedPart[], string])[] = [
    [[first, { number: 9, etag: first.etag }], "InvalidPart"],
    [[first, { number: 2, etag: first.etag }], "InvalidPart"],
    [[second, first], "InvalidPartOrder"],
    [[first, first], "InvalidPartOrder"],
    [[third, { number: 4, etag: third.etag }], "InvalidPart"],
    [[], "MalformedXML"],
    [[{ number: 0, etag: first.etag }], "InvalidArgument"],
    [[{ number: 10_001, etag: first.etag }], "InvalidArgument"],
  ];
  for (const [parts, code] of cases) {
    const answer = await complete(key, uploadId, parts);
    assert.equal(answer.status, 400, code);
    assert.equal(answer.code, code);
  }
  await upload({ key, uploadId, number: 4 }, "small");
  const small = { number: 4, etag: md5(Buffer.from("small")).toString("hex") };
  const refused = await complete(key, uploadId, [first, third, small]);
  assert.equal(refused.code, "EntityTooSmall");
  assert.match(refused.text, /<PartNumber>3<\/PartNumber>/);
  const size = await complete(key, uploadId, named, [["x-amz-mp-object-size", "5"]]);
  assert.equal(size.code, "InvalidRequest");
  assert.equal((await s3.get(bucket, key)).status, 404);
  assert.equal((await complete(key, uploadId, [first, third])).status, 200);
});

test("replaces a part that is sent again", async () => {
  const key = "replaced";
  const uploadId = await create(key);
  const old = await upload({ key, uploadId, number: 1 }, "old");
  const fresh = await upload({ key, uploadId, number: 1 }, "new");
  const etag = fresh.headers.get("etag") ?? "";
  const stale = [{ number: 1, etag: old.headers.get("etag") ?? "" }];
  assert.equal((await complete(key, uploadId, stale)).code, "InvalidPart");
  assert.equal((await complete(key, uploadId, [{ number: 1, etag }])).status, 200);
  assert.equal((await s3.get(bucket, key)).text, "new");
});

test("takes an empty last part", async () => {
  const key = "empty";
  const uploadId = await create(key);
  const { headers } = await upload({ key, uploadId, number: 1 }, "");
  const parts = [{ number: 1, etag: headers.get("etag") ?? "" }];
  assert.equal((await complete(key, uploadId, parts)).status, 200);
  const get = await s3.get(bucket, key);
  assert.equal(get.status, 200);
  assert.equal(get.headers.get("content-length"), "0");
});

test("refuses part numbers and upload ids that are none", async () => {
  const key = "numbers";
  const uploadId = await create(key);
  for (const number of ["0", "10001", "x", "1.5", ""]) {
    const answer = await upload({ key, uploadId, number }, "x");
    assert.equal(answer.code, "InvalidArgument", number);
  }
  for (const id of ["0".repeat(32), "nonsense", ""]) {
    assert.equal((await upload({ key, uploadId: id, number: 1 }, "x")).code, "NoSuchUpload", id);
    assert.equal((await complete(key, id, [{ number: 1, etag: "x" }])).code, "NoSuchUpload", id);
    const listed = await s3.call({ target: `${pathOf(bucket, key)}?uploadId=${id}` });
    assert.equal(listed.code, "NoSuchUpload", id);
  }
  const elsewhere = await upload({ key: "another key", uploadId, number: 1 }, "x");
  assert.equal(elsewhere.code, "NoSuchUpload");
});

test("aborts, and an aborted upload is gone", async () => {
  const key = "aborted";
  const uploadId = await create(key);
  await upload({ key, uploadId, number: 1 }, "x");
  const target = `${pathOf(bucket, key)}?uploadId=${uploadId}`;
  assert.equal((await s3.call({ method: "DELETE", target })).status, 204);
  assert.equal((await s3.call({ method: "DELETE", target })).code, "NoSuchUpload");
  assert.equal((await upload({ key, uploadId, number: 2 }, "x")).code, "NoSuchUpload");
  assert.equal((await s3.get(bucket, key)).status, 404);
});

test("lists parts in pages", async () => {
  const key = "parts";
  const uploadId = await create(key);
  for (const number of [3, 1, 2]) await upload({ key, uploadId, number }, `part ${number}`);
  const target = `${pathOf(bucket, key)}?uploadId=${uploadId}`;
  const first = (await s3.call({ target: `${target}&max-parts=2` })).xml();
  assert.deepEqual(textsOf(first, "Part", "PartNumber"), ["1", "2"]);
  assert.equal(textAt(first, "IsTruncated"), "true");
  assert.equal(textAt(first, "NextPartNumberMarker"), "2");
  const second = (await s3.call({ target: `${target}&max-parts=2&part-number-marker=2` })).xml();
  assert.deepEqual(textsOf(second, "Part", "PartNumber"), ["3"]);
  assert.equal(textAt(second, "IsTruncated"), "false");
  assert.equal(textAt(second, "Part", "Size"), "6");
});

test("lists uploads with prefix, delimiter and pages; parts stay out of listings", async () => {
  const own = await makeBucket(s3);
  const ids: string[] = [];
  for (const key of ["a", "b/1", "b/2", "c"]) {
    const answer = await s3.call({ method: "POST", target: `${pathOf(own, key)}?uploads` });
    ids.push(textAt(answer.xml(), "UploadId") ?? "");
  }
  const list = async (query: string): ReturnType<typeof s3.call> =>
    s3.call({ target: `/${own}?uploads${query}` });
  const all = (await list("")).xml();
  assert.deepEqual(textsOf(all, "Upload", "Key"), ["a", "b/1", "b/2", "c"]);
  assert.deepEqual(textsOf(all, "Upload", "UploadId"), ids);
  const grouped = (await list("&delimiter=/")).xml();
  assert.deepEqual(textsOf(grouped, "Upload", "Key"), ["a", "c"]);
  assert.deepEqual(textsOf(grouped, "CommonPrefixes", "Prefix"), ["b/"]);
  const page = (await list("&max-uploads=2")).xml();
  assert.equal(textAt(page, "IsTruncated"), "true");
  assert.equal(textAt(page, "NextKeyMarker"), "b/1");
  const marker = `&key-marker=b/1&upload-id-marker=${textAt(page, "NextUploadIdMarker")}`;
  assert.deepEqual(textsOf((await list(marker)).xml(), "Upload", "Key"), ["b/2", "c"]);
  assert.deepEqual(textsOf((await s3.call({ target: `/${own}` })).xml(), "Contents", "Key"), []);
  // Uploads in progress do not keep a bucket.
  assert.equal((await s3.call({ method: "DELETE", target: `/${own}` })).status, 204);
});

test("completes under a condition", async () => {
  const key = "conditional";
  await s3.put(bucket, key, "there");
  const uploadId = await create(key);
  const { headers } = await upload({ key, uploadId, number: 1 }, "new");
  const parts = [{ number: 1, etag: headers.get("etag") ?? "" }];
  const refused = await complete(key, uploadId, parts, [["If-None-Match", "*"]]);
  assert.equal(refused.status, 412);
  assert.equal((await s3.get(bucket, key)).text, "there");
  assert.equal((await complete(key, uploadId, parts)).status, 200);
});

test("combines checksums of parts", async () => {
  const full = await create("full", [
    ["x-amz-checksum-algorithm", "CRC32"],
    ["x-amz-checksum-type", "FULL_OBJECT"],
  ]);
  const named: NamedPart[] = [];
  for (const [index, body] of PARTS.entries()) {
    const sum = crc32Bytes(body).toString("base64");
    const place = { key: "full", uploadId: full, number: index + 1 };
    const answer = await upload(place, body, [["x-amz-checksum-crc32", sum]]);
    assert.equal(answer.headers.get("x-amz-checksum-crc32"), sum);
    const more = `<ChecksumCRC32>${sum}</ChecksumCRC32>`;
    named.push({ number: index + 1, etag: answer.headers.get("etag") ?? "", more });
  }
  const wrong = await complete("full", full, named, [["x-amz-checksum-crc32", "AAAAAA=="]]);
  assert.equal(wrong.code, "BadDigest");
  const whole = crc32Bytes(WHOLE).toString("base64");
  const done = await complete("full", full, named, [["x-amz-checksum-crc32", whole]]);
  assert.equal(done.status, 200, done.text);
  assert.equal(textAt(done.xml(), "ChecksumCRC32"), whole);
  assert.equal(textAt(done.xml(), "ChecksumType"), "FULL_OBJECT");
});

test("makes composite checksums, and insists on the client's word", async () => {
  const key = "composite";
  const uploadId = await create(key, [["x-amz-checksum-algorithm", "CRC32"]]);
  const body = Buffer.from("a single part");
  const sum = crc32Bytes(body);
  const other = [
    ["x-amz-checksum-sha1", createHash("sha1").update(body).digest("base64")],
  ] as const;
  assert.equal((await upload({ key, uploadId, number: 1 }, body, other)).code, "InvalidRequest");
  const { headers } = await upload({ key, uploadId, number: 1 }, body);
  assert.equal(headers.get("x-amz-checksum-crc32"), sum.toString("base64"));
  const etag = headers.get("etag") ?? "";
  assert.equal((await complete(key, uploadId, [{ number: 1, etag }])).code, "InvalidRequest");
  const more = `<ChecksumCRC32>${sum.toString("base64")}</ChecksumCRC32>`;
  const done = await complete(key, uploadId, [{ number: 1, etag, more }]);
  const composite = `${crc32Bytes(sum).toString("base64")}-1`;
  assert.equal(textAt(done.xml(), "ChecksumCRC32"), composite);
  const mode = [["x-amz-checksum-mode", "ENABLED"]] as const;
  const get = await s3.get(bucket, key, mode);
  assert.equal(get.headers.get("x-amz-checksum-crc32"), composite);
  assert.equal(get.headers.get("x-amz-checksum-type"), "COMPOSITE");
});

test("copies parts, whole or a range", async () => {
  await s3.put(bucket, "copied-from", PARTS[1] ?? "");
  const key = "copied";
  const uploadId = await create(key);
  const copyPart = (number: number, headers: Headers): Promise<Answer> =>
    upload({ key, uploadId, number }, "", [
      ["x-amz-copy-source", `/${bucket}/copied-from`],
      ...headers,
    ]);
  const first = await copyPart(1, []);
  assert.equal(first.status, 200, first.text);
  const second = await copyPart(2, [["x-amz-copy-source-range", "bytes=10-19"]]);
  for (const range of ["bytes=10-", "bytes=-5", "10-19", "bytes=19-10", "bytes=0-99999999"]) {
    const refused = await copyPart(3, [["x-amz-copy-source-range", range]]);
    assert.equal(refused.code, "InvalidArgument", range);
  }
  const parts = [first, second].map((answer, index) => ({
    number: index + 1,
    etag: textAt(answer.xml(), "ETag") ?? "",
  }));
  assert.equal((await complete(key, uploadId, parts)).status, 200);
  const source = PARTS[1] ?? Buffer.alloc(0);
  const expected = Buffer.concat([source, source.subarray(10, 20)]);
  assert.ok((await s3.get(bucket, key)).body.equals(expected));
});
