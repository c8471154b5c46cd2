// Objects as large as S3 has them: 10,000 parts in one completion, 5 TiB to the byte, ranges and
// parts at their very end. The parts are put as records, since nobody has the bytes.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { toHex } from "../../services/lib/base/bytes.ts";
import { newManifestId } from "../../services/lib/clients/body-writer.ts";
import type { CommandKind } from "../../services/lib/clients/metadata-client.ts";
import { chunkSizes } from "../../services/lib/erasure/geometry.ts";
import { createRandom } from "../../services/lib/host/random.ts";
import { type MemoryGateway, ROOT_USER, startGatewayOver } from "../unit/gateway/memory-gateway.ts";
import { type Answer, Caller, pathOf, textAt } from "./caller.ts";
import { makeBucket } from "./harness.ts";
import { StateMetadata } from "./state-metadata.ts";

const GIB = 1024 ** 3;
const TIB = 1024 * GIB;
const MIB = 1024 ** 2;
const random = createRandom();

let metadata: StateMetadata;
let gateway: Omit<MemoryGateway, "metadata">;
let s3: Caller;
let bucket: string;

before(async () => {
  metadata = await StateMetadata.open();
  gateway = await startGatewayOver(metadata);
  const endpoint = `http://${gateway.running.address}`;
  const { accessKeyId, secret } = ROOT_USER;
  s3 = new Caller({ endpoint, accessKeyId, secretAccessKey: secret, region: "us-east-1" });
  bucket = await makeBucket(s3);
});
after(async () => {
  await gateway.stop();
  await metadata.close();
});

async function begin(key: string): Promise<string> {
  const created = await s3.call({ method: "POST", target: `${pathOf(bucket, key)}?uploads` });
  return textAt(created.xml(), "UploadId") ?? "";
}

/** Puts parts of these sizes straight into the index; the tags by number. */
async function putParts(key: string, id: string, sizes: readonly number[]): Promise<string[]> {
  const found = await metadata.query(1, { case: "getBucket", value: { name: bucket } });
  const range = found.bucket?.ranges[0];
  assert.ok(found.bucket !== undefined && range !== undefined);
  const { bucketId } = found.bucket;
  const tags: string[] = [];
  const commands: CommandKind[] = [];
  for (const [index, size] of sizes.entries()) {
    const manifestId = newManifestId(Date.now(), random);
    const md5 = random.bytes(16);
    const chunk = (chunkBytes: number) => ({
      chunkId: random.bytes(16),
      size: chunkBytes,
      diskIds: [1, 2, 3],
    });
    commands.push({
      case: "putPart",
      value: {
        bucketId,
        key: Buffer.from(key),
        uploadId: Buffer.from(id, "hex"),
        part: { partNumber: index + 1, size: BigInt(size), md5, manifestId },
        manifest: {
          manifestId,
          key: Buffer.from(key),
          policy: "standard",
          dataShards: 2,
          parityShards: 1,
          cellBytes: 1024,
          size: BigInt(size),
          chunks: chunkSizes(size).map(chunk),
        },
      },
    });
    tags.push(toHex(md5));
  }
  for (let at = 0; at < commands.length; at += 250) {
    const replies = await metadata.executeAll(range.groupId, commands.slice(at, at + 250));
    assert.ok(replies.every(({ message }) => message === ""));
  }
  return tags;
}

function complete(key: string, id: string, tags: readonly string[]): Promise<Answer> {
  const rows = tags.map(
    (tag, index) => `<Part><PartNumber>${index + 1}</PartNumber><ETag>"${tag}"</ETag></Part>`,
  );
  const body = `<CompleteMultipartUpload>${rows.join("")}</CompleteMultipartUpload>`;
  return s3.call({ method: "POST", target: `${pathOf(bucket, key)}?uploadId=${id}`, body });
}

function head(key: string, query = "", range = ""): Promise<Answer> {
  const headers = range === "" ? [] : ([["Range", range]] as const);
  return s3.call({ method: "HEAD", target: pathOf(bucket, key) + query, headers });
}

test("10,000 parts become one object, and every one of them is found", async () => {
  const id = await begin("many");
  const sizes = Array.from({ length: 10_000 }, (_, index) => 5 * MIB + index);
  const tags = await putParts("many", id, sizes);
  const done = await complete("many", id, tags);
  assert.equal(done.status, 200, done.text);
  assert.match(textAt(done.xml(), "ETag") ?? "", /-10000"$/);
  const size = sizes.reduce((sum, one) => sum + one, 0);
  const whole = await head("many");
  assert.equal(whole.headers.get("content-length"), String(size));
  for (const number of [1, 5000, 10_000]) {
    const part = await head("many", `?partNumber=${number}`);
    assert.equal(part.status, 206);
    assert.equal(part.headers.get("content-length"), String(5 * MIB + number - 1));
    assert.equal(part.headers.get("x-amz-mp-parts-count"), "10000");
  }
  const again = await complete("many", id, tags);
  assert.equal(again.status, 200);
});

test("an object has 5 TiB to the byte, and not one more", async () => {
  const sizes = new Array<number>(1024).fill(5 * GIB);
  const id = await begin("largest");
  const tags = await putParts("largest", id, sizes);
  const done = await complete("largest", id, tags);
  assert.equal(done.status, 200, done.text);
  const size = 5 * TIB;
  assert.equal((await head("largest")).headers.get("content-length"), String(size));
  const last = await head("largest", "", `bytes=${size - 1}-`);
  assert.equal(last.status, 206);
  assert.equal(last.headers.get("content-range"), `bytes ${size - 1}-${size - 1}/${size}`);
  const suffix = await head("largest", "", "bytes=-2");
  assert.equal(suffix.headers.get("content-range"), `bytes ${size - 2}-${size - 1}/${size}`);
  assert.equal((await head("largest", "", `bytes=${size}-`)).status, 416);
  const end = await head("largest", "?partNumber=1024");
  assert.equal(end.headers.get("content-range"), `bytes ${size - 5 * GIB}-${size - 1}/${size}`);
  const listed = await s3.call({ target: `/${bucket}?list-type=2&prefix=largest` });
  assert.equal(textAt(listed.xml(), "Contents", "Size"), String(size));
  const tooLarge = await begin("too-large");
  const more = await putParts("too-large", tooLarge, [...sizes, 1]);
  const refused = await complete("too-large", tooLarge, more);
  assert.equal(refused.status, 400);
  assert.equal(refused.code, "EntityTooLarge");
  const copied = await s3.call({
    method: "PUT",
    target: pathOf(bucket, "copy"),
    headers: [["x-amz-copy-source", `/${bucket}/largest`]],
  });
  assert.equal(copied.code, "InvalidRequest");
});
