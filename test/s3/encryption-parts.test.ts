// Sealed multipart uploads: every part under a key of its own, read whole, in ranges and one by
// one; parts come with the key that the upload began with.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { type Answer, pathOf, textAt } from "./caller.ts";
import {
  AES256,
  BLOCK,
  CLIENT,
  clientKey,
  type Headers,
  KEY,
  KINDS,
  METHOD,
  md5Hex,
  OTHER_KEY,
  refused,
  SealedGateway,
  sourceKey,
} from "./sealed-gateway.ts";

const FIVE_MIB = 5 * 1024 * 1024;

let on: SealedGateway;
before(async () => {
  on = await SealedGateway.start();
});
after(() => on.stop());

async function createUpload(key: string, headers: Headers): Promise<string> {
  const target = `${pathOf(on.bucket, key)}?uploads`;
  const answer = await on.s3.call({ method: "POST", target, headers });
  assert.equal(answer.status, 200, answer.text);
  for (const [name, value] of headers.filter(([header]) => header === METHOD)) {
    assert.equal(answer.headers.get(name), value);
  }
  return textAt(answer.xml(), "UploadId") ?? "";
}

interface PartPlace {
  readonly key: string;
  readonly uploadId: string;
  readonly number: number;
}

function uploadPart(
  { key, uploadId, number }: PartPlace,
  headers: Headers,
  body?: Uint8Array,
): Promise<Answer> {
  const target = `${pathOf(on.bucket, key)}?partNumber=${number}&uploadId=${uploadId}`;
  return on.s3.call({ method: "PUT", target, headers, ...(body === undefined ? {} : { body }) });
}

function complete(
  { key, uploadId }: Omit<PartPlace, "number">,
  etags: readonly string[],
  headers: Headers = [],
): Promise<Answer> {
  const parts = etags.map(
    (etag, at) => `<Part><PartNumber>${at + 1}</PartNumber><ETag>${etag}</ETag></Part>`,
  );
  const body = `<CompleteMultipartUpload>${parts.join("")}</CompleteMultipartUpload>`;
  const target = `${pathOf(on.bucket, key)}?uploadId=${uploadId}`;
  return on.s3.call({ method: "POST", target, body, headers });
}

/** What an answer says of how the object is sealed. */
function sealingHeaders({ headers }: Answer): string[] {
  return [...headers].filter(([name]) => name.startsWith(METHOD)).map((field) => field.join(": "));
}

for (const [name, write, read] of KINDS) {
  test(`parts are sealed with ${name}, and read whole, in ranges and one by one`, async () => {
    const key = `parts ${name}`;
    const uploadId = await createUpload(key, write);
    const parts = [randomBytes(FIVE_MIB), randomBytes(FIVE_MIB + BLOCK), randomBytes(1000)];
    await on.put("part source", parts[2] ?? "", write);
    const etags: string[] = [];
    for (const [at, body] of parts.entries()) {
      const place = { key, uploadId, number: at + 1 };
      const source = `/${on.bucket}/part%20source`;
      const sent =
        at < 2
          ? await uploadPart(place, read, body)
          : await uploadPart(place, [
              ["x-amz-copy-source", source],
              ...read,
              ...(read.length > 0 ? sourceKey(KEY) : []),
            ]);
      assert.equal(sent.status, 200, sent.text);
      etags.push(at < 2 ? (sent.headers.get("etag") ?? "") : (textAt(sent.xml(), "ETag") ?? ""));
    }
    assert.equal(etags[0] === `"${md5Hex(parts[0] ?? KEY)}"`, name === "AES256");
    const done = await complete({ key, uploadId }, etags);
    assert.equal(done.status, 200, done.text);
    const again = await complete({ key, uploadId }, etags);
    assert.equal(again.status, 200, again.text);
    assert.deepEqual(sealingHeaders(again), sealingHeaders(done));
    assert.equal(sealingHeaders(done).length > 0, name !== "a client's key");
    assert.ok(!on.isStored((parts[0] ?? KEY).subarray(0, 32)));
    const whole = Buffer.concat(parts);
    const got = await on.call("GET", key, read);
    assert.equal(Buffer.compare(got.body, whole), 0);
    assert.match(got.headers.get("etag") ?? "", /^"[0-9a-f]{32}-3"$/);
    const [first, last] = [FIVE_MIB - 10, 2 * FIVE_MIB + BLOCK + 9];
    const ranged = await on.call("GET", key, [["Range", `bytes=${first}-${last}`], ...read]);
    assert.equal(ranged.status, 206, ranged.text);
    assert.equal(Buffer.compare(ranged.body, whole.subarray(first, last + 1)), 0);
    const target = `${pathOf(on.bucket, key)}?partNumber=2`;
    const second = await on.s3.call({ target, headers: read });
    assert.equal(Buffer.compare(second.body, parts[1] ?? KEY), 0);
    assert.equal(second.headers.get("x-amz-mp-parts-count"), "3");
  });
}

test("parts come with the key that the upload began with, or are refused", async () => {
  const body = randomBytes(100);
  const uploadId = await createUpload("kept", CLIENT);
  const place = { key: "kept", uploadId, number: 1 };
  await refused(uploadPart(place, [], body), 400, "InvalidRequest");
  await refused(uploadPart(place, clientKey(OTHER_KEY), body), 400, "InvalidRequest");
  await refused(uploadPart(place, AES256, body), 400, "InvalidArgument");
  const sent = await uploadPart(place, CLIENT, body);
  assert.equal(sent.status, 200, sent.text);
  const etags = [sent.headers.get("etag") ?? ""];
  await refused(complete(place, etags, clientKey(OTHER_KEY)), 400, "InvalidRequest");
  const done = await complete(place, etags, CLIENT);
  assert.equal(done.status, 200, done.text);
  const plain = { key: "open", uploadId: await createUpload("open", []), number: 1 };
  await refused(uploadPart(plain, CLIENT, body), 400, "InvalidRequest");
  const managed = { key: "open", uploadId: await createUpload("open", AES256), number: 1 };
  await refused(uploadPart(managed, CLIENT, body), 400, "InvalidRequest");
});
