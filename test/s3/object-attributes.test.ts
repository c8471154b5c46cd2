// GetObjectAttributes: what was asked for and nothing else, of any version, with parts in pages.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import { crc32 } from "node:zlib";
import { type Answer, Caller, pathOf, textAt, textsOf } from "./caller.ts";
import { makeBucket, makeVersionedBucket, startCluster, type TestCluster } from "./harness.ts";

const FIVE_MIB = 5 * 1024 * 1024;

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

function attributes(key: string, names: string, headers: Headers = []): Promise<Answer> {
  return s3.call({
    target: `${pathOf(bucket, key)}?attributes`,
    headers: [["x-amz-object-attributes", names], ...headers],
  });
}

function crcText(body: Uint8Array | string): string {
  const digest = Buffer.alloc(4);
  digest.writeUInt32BE(crc32(body));
  return digest.toString("base64");
}

test("tells what is asked for, in one document", async () => {
  const body = "content";
  const headers = [["x-amz-checksum-crc32", crcText(body)]] as const;
  await s3.call({ method: "PUT", target: pathOf(bucket, "plain"), body, headers });
  const all = await attributes("plain", "ETag,Checksum,ObjectParts,StorageClass,ObjectSize");
  assert.equal(all.status, 200, all.text);
  const root = all.xml();
  assert.equal(root.name, "GetObjectAttributesResponse");
  assert.equal(textAt(root, "ETag"), createHash("md5").update(body).digest("hex"));
  assert.equal(textAt(root, "Checksum", "ChecksumCRC32"), crcText(body));
  assert.equal(textAt(root, "Checksum", "ChecksumType"), "FULL_OBJECT");
  assert.equal(textAt(root, "StorageClass"), "STANDARD");
  assert.equal(textAt(root, "ObjectSize"), "7");
  assert.equal(textAt(root, "ObjectParts"), undefined);
  assert.ok(all.headers.has("last-modified"));
  const size = (await attributes("plain", "ObjectSize")).xml();
  assert.deepEqual(
    size.children.map(({ name }) => name),
    ["ObjectSize"],
  );
});

test("lists parts with their checksums in pages", async () => {
  const target = pathOf(bucket, "parts");
  const created = await s3.call({
    method: "POST",
    target: `${target}?uploads`,
    headers: [["x-amz-checksum-algorithm", "CRC32"]],
  });
  const id = textAt(created.xml(), "UploadId");
  const rows: string[] = [];
  for (const number of [1, 2, 3]) {
    const body = Buffer.alloc(number === 3 ? 10 : FIVE_MIB, number);
    const part = await s3.call({
      method: "PUT",
      target: `${target}?partNumber=${number}&uploadId=${id}`,
      body,
      headers: [["x-amz-checksum-crc32", crcText(body)]],
    });
    rows.push(
      `<Part><PartNumber>${number}</PartNumber><ETag>${part.headers.get("etag")}</ETag>` +
        `<ChecksumCRC32>${crcText(body)}</ChecksumCRC32></Part>`,
    );
  }
  const body = `<CompleteMultipartUpload>${rows.join("")}</CompleteMultipartUpload>`;
  const done = await s3.call({ method: "POST", target: `${target}?uploadId=${id}`, body });
  assert.equal(done.status, 200, done.text);
  const page = await attributes("parts", "ObjectParts,Checksum", [["x-amz-max-parts", "2"]]);
  const parts = page.xml().children.find(({ name }) => name === "ObjectParts");
  assert.ok(parts);
  assert.equal(textAt(parts, "PartsCount"), "3");
  assert.equal(textAt(parts, "IsTruncated"), "true");
  assert.equal(textAt(parts, "NextPartNumberMarker"), "2");
  assert.deepEqual(textsOf(parts, "Part", "Size"), [String(FIVE_MIB), String(FIVE_MIB)]);
  const rest = await attributes("parts", "ObjectParts", [["x-amz-part-number-marker", "2"]]);
  const last = rest.xml().children.find(({ name }) => name === "ObjectParts");
  assert.ok(last);
  assert.deepEqual(textsOf(last, "Part", "PartNumber"), ["3"]);
  assert.deepEqual(textsOf(last, "Part", "ChecksumCRC32"), [crcText(Buffer.alloc(10, 3))]);
});

test("refuses requests that name nothing or something unknown, and missing objects", async () => {
  await s3.put(bucket, "there", "x");
  const none = await s3.call({ target: `${pathOf(bucket, "there")}?attributes` });
  assert.equal(none.code, "InvalidRequest");
  assert.equal((await attributes("there", "Colour")).code, "InvalidArgument");
  const bad = await attributes("there", "ETag", [["x-amz-max-parts", "many"]]);
  assert.equal(bad.code, "InvalidArgument");
  assert.equal((await attributes("missing", "ETag")).code, "NoSuchKey");
});

test("tells of versions, and of markers only that they are", async () => {
  const own = await makeVersionedBucket(s3);
  const first = (await s3.put(own, "v", "one")).headers.get("x-amz-version-id") ?? "";
  await s3.put(own, "v", "three");
  const of = (query: string): Promise<Answer> =>
    s3.call({
      target: `${pathOf(own, "v")}?attributes${query}`,
      headers: [["x-amz-object-attributes", "ObjectSize"]],
    });
  const old = await of(`&versionId=${first}`);
  assert.equal(textAt(old.xml(), "ObjectSize"), "3");
  assert.equal(old.headers.get("x-amz-version-id"), first);
  await s3.call({ method: "DELETE", target: pathOf(own, "v") });
  const hidden = await of("");
  assert.equal(hidden.status, 404);
  assert.equal(hidden.headers.get("x-amz-delete-marker"), "true");
});
