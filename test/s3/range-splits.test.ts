// A bucket whose index ranges are cut while clients write and list: every answer is as before, for
// keys, versions and uploads, page by page, with and without common prefixes.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Outcome } from "../../services/lib/gen/dolium/record/v1/command_pb.ts";
import type { XmlElement } from "../../services/lib/s3/xml-reader.ts";
import { type MemoryGateway, startGatewayOver } from "../unit/gateway/memory-gateway.ts";
import { type Caller, pathOf, textAt } from "./caller.ts";
import { callerOf, makeBucket, makeVersionedBucket } from "./harness.ts";
import { StateMetadata } from "./state-metadata.ts";

let metadata: StateMetadata;
let gateway: Omit<MemoryGateway, "metadata">;
let s3: Caller;

before(async () => {
  metadata = await StateMetadata.open();
  gateway = await startGatewayOver(metadata);
  s3 = callerOf(gateway);
});
after(async () => {
  await gateway.stop();
  await metadata.close();
});

const KEYS = ["a", "b/1", "b/2", "b/3", "c", "d/1", "d/2", "e", "ä", "z"];
/** Before, at, within and behind keys and common prefixes. */
const CUTS = ["b/2", "b", "d/", "d/15", "e\0", "zz", "a"];

async function cut(bucket: string, at: string): Promise<void> {
  const found = await metadata.query(1, { case: "getBucket", value: { name: bucket } });
  const value = { name: bucket, bucketId: found.bucket?.bucketId ?? 0, at: Buffer.from(at) };
  const { outcome, message } = await metadata.execute(1, { case: "splitRange", value });
  assert.equal(outcome, Outcome.OK, message);
}

async function rangesOf(bucket: string): Promise<number> {
  const found = await metadata.query(1, { case: "getBucket", value: { name: bucket } });
  return found.bucket?.ranges.length ?? 0;
}

async function ok(method: string, target: string): Promise<void> {
  const { status, text } = await s3.call({ method, target, body: method === "PUT" ? "x" : "" });
  assert.ok(status === 200 || status === 204, `${method} ${target}: ${text}`);
}

/** A listing to its end, by pages: what each element of these names says of itself. */
async function listed(
  target: string,
  names: readonly string[],
  next: (page: XmlElement) => string,
): Promise<string[]> {
  const found: string[] = [];
  let more = "";
  for (let pages = 0; pages < 100; pages += 1) {
    const answer = await s3.call({ target: target + more });
    assert.equal(answer.status, 200, answer.text);
    const page = answer.xml();
    for (const child of page.children) {
      if (!names.includes(child.name)) continue;
      const parts = ["Key", "Prefix", "UploadId", "IsLatest"].map((name) => textAt(child, name));
      found.push(`${child.name} ${parts.filter((part) => part !== undefined).join(" ")}`);
    }
    if (textAt(page, "IsTruncated") !== "true") return found;
    more = next(page);
  }
  throw new Error(`${target}: no end`);
}

const encoded = (page: XmlElement, name: string): string =>
  encodeURIComponent(textAt(page, name) ?? "");

/** A page tells common prefixes after the others, so their order depends on the pages. */
const sorted = (lines: readonly string[]): string[] => lines.toSorted();

/** All listings that show the bucket, with pages of `limit`. */
async function everyListing(bucket: string, limit: number): Promise<string[][]> {
  const versions = `/${bucket}?versions&max-keys=${limit}`;
  const after = (page: XmlElement): string => {
    const id = encoded(page, "NextVersionIdMarker");
    const key = `&key-marker=${encoded(page, "NextKeyMarker")}`;
    return id === "" ? key : `${key}&version-id-marker=${id}`;
  };
  const token = (page: XmlElement): string =>
    `&continuation-token=${encoded(page, "NextContinuationToken")}`;
  const uploads = `/${bucket}?uploads&max-uploads=${limit}`;
  const afterUpload = (page: XmlElement): string =>
    `&key-marker=${encoded(page, "NextKeyMarker")}` +
    `&upload-id-marker=${encoded(page, "NextUploadIdMarker")}`;
  const keys = `/${bucket}?list-type=2&max-keys=${limit}`;
  const shown = ["Contents", "CommonPrefixes", "Version", "DeleteMarker", "Upload"];
  return [
    await listed(keys, shown, token),
    sorted(await listed(`${keys}&delimiter=%2F`, shown, token)),
    await listed(`${keys}&prefix=d`, shown, token),
    await listed(`${keys}&start-after=b%2F2`, shown, token),
    await listed(versions, shown, after),
    sorted(await listed(`${versions}&delimiter=%2F`, shown, after)),
    await listed(uploads, shown, afterUpload),
    sorted(await listed(`${uploads}&delimiter=%2F`, shown, afterUpload)),
  ];
}

test("listings of all kinds and page sizes are the same after each cut", async () => {
  const bucket = await makeVersionedBucket(s3);
  for (const key of KEYS) {
    await ok("PUT", pathOf(bucket, key));
    await ok("POST", `${pathOf(bucket, key)}?uploads`);
  }
  await ok("PUT", pathOf(bucket, "b/2"));
  await ok("DELETE", pathOf(bucket, "d/1"));
  const expected = await everyListing(bucket, 1000);
  assert.deepEqual(
    expected.map(({ length }) => length),
    [9, 7, 1, 6, 12, 7, 10, 7],
  );
  for (const [done, at] of CUTS.entries()) {
    await cut(bucket, at);
    assert.equal(await rangesOf(bucket), done + 2);
    for (const limit of [1, 2, 3, 1000]) {
      assert.deepEqual(await everyListing(bucket, limit), expected, `cut at ${at}, by ${limit}`);
    }
  }
});

test("writes, reads and uploads under way go on over cuts; the bucket can be removed", async () => {
  const bucket = await makeBucket(s3);
  const key = "m/upload";
  const begun = await s3.call({ method: "POST", target: `${pathOf(bucket, key)}?uploads` });
  const id = encoded(begun.xml(), "UploadId");
  const part = `${pathOf(bucket, key)}?partNumber=1&uploadId=${id}`;
  const sent = await s3.call({ method: "PUT", target: part, body: "part" });
  const etag = sent.headers.get("etag") ?? "";
  const names = Array.from({ length: 40 }, (_, at) => `k/${String(at).padStart(3, "0")}`);
  const written: string[] = [];
  await Promise.all([
    ...names.map(async (name) => {
      await ok("PUT", pathOf(bucket, name));
      const read = await s3.call({ target: pathOf(bucket, name) });
      assert.equal(read.text, "x");
      written.push(name);
      const before = [...written];
      const [now = []] = await everyListing(bucket, 7);
      for (const one of before) assert.ok(now.includes(`Contents ${one}`), one);
    }),
    ...names.slice(5, 15).map((name) => cut(bucket, name)),
  ]);
  assert.equal(await rangesOf(bucket), 11);
  assert.equal((await everyListing(bucket, 1000))[0]?.length, names.length);
  const body =
    `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${etag}</ETag></Part>` +
    "</CompleteMultipartUpload>";
  await cut(bucket, "m/u");
  const target = `${pathOf(bucket, key)}?uploadId=${id}`;
  const completed = await s3.call({ method: "POST", target, body });
  assert.equal(completed.status, 200, completed.text);
  for (const name of [...names, key]) await ok("DELETE", pathOf(bucket, name));
  await ok("DELETE", `/${bucket}`);
});
