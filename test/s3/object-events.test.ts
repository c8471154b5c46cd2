// What commands on objects leave for the keeper to tell: the event's name, who caused it, and of
// which version. Nothing where the bucket wants no events.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import { fromUtf8, toHex } from "../../services/lib/base/bytes.ts";
import { Versioning } from "../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import type { OutboxEntry } from "../../services/lib/gen/dolium/record/v1/group_pb.ts";
import { type MemoryGateway, ROOT_USER, startGatewayOver } from "../unit/gateway/memory-gateway.ts";
import { Caller, pathOf, textAt } from "./caller.ts";
import { makeBucket, makeVersionedBucket } from "./harness.ts";
import { StateMetadata } from "./state-metadata.ts";

let metadata: StateMetadata;
let gateway: Omit<MemoryGateway, "metadata">;
let s3: Caller;

before(async () => {
  metadata = await StateMetadata.open();
  gateway = await startGatewayOver(metadata);
  const endpoint = `http://${gateway.running.address}`;
  const { accessKeyId, secret } = ROOT_USER;
  s3 = new Caller({ endpoint, accessKeyId, secretAccessKey: secret, region: "us-east-1" });
});
after(async () => {
  await gateway.stop();
  await metadata.close();
});

interface Place {
  readonly bucketId: number;
  readonly groupId: number;
  readonly revision: bigint;
}

async function placeOf(name: string): Promise<Place> {
  const { bucket } = await metadata.query(1, { case: "getBucket", value: { name } });
  const range = bucket?.ranges[0];
  assert.ok(bucket !== undefined && range !== undefined);
  return { bucketId: bucket.bucketId, groupId: range.groupId, revision: bucket.revision };
}

/** Turns events on in the bucket's group, as a notification configuration would. */
async function listen(name: string, versioning: Versioning): Promise<Place> {
  const place = await placeOf(name);
  const state = { revision: place.revision + 1n, versioning, events: true };
  const value = { bucketId: place.bucketId, state };
  const reply = await metadata.execute(place.groupId, { case: "configureBucket", value });
  assert.equal(reply.message, "");
  return place;
}

async function entriesOf({ bucketId, groupId }: Place): Promise<readonly OutboxEntry[]> {
  const value = { afterSequence: 0n, limit: 1000 };
  const { entries } = await metadata.query(groupId, { case: "listOutbox", value });
  return entries.filter((entry) => entry.bucketId === bucketId);
}

/** `name key`, in order. */
async function eventsOf(place: Place): Promise<string[]> {
  return (await entriesOf(place)).map(({ kind }) =>
    kind.case === "event" ? `${kind.value.name} ${fromUtf8(kind.value.key)}` : (kind.case ?? ""),
  );
}

test("every kind of write tells its own event, and who caused it", async () => {
  const bucket = await makeBucket(s3);
  const place = await listen(bucket, Versioning.OFF);
  const put = await s3.put(bucket, "a", "content");
  const source = [["x-amz-copy-source", `/${bucket}/a`]] as const;
  await s3.call({ method: "PUT", target: pathOf(bucket, "b"), headers: source });
  const target = pathOf(bucket, "c");
  const created = await s3.call({ method: "POST", target: `${target}?uploads` });
  const id = textAt(created.xml(), "UploadId");
  const query = `?partNumber=1&uploadId=${id}`;
  const part = await s3.call({ method: "PUT", target: target + query, body: "part" });
  const body =
    "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>" +
    `<ETag>${part.headers.get("etag")}</ETag></Part></CompleteMultipartUpload>`;
  await s3.call({ method: "POST", target: `${target}?uploadId=${id}`, body });
  const tags = "<Tagging><TagSet/></Tagging>";
  await s3.call({ method: "PUT", target: `${pathOf(bucket, "a")}?tagging`, body: tags });
  await s3.call({ method: "DELETE", target: `${pathOf(bucket, "a")}?tagging` });
  await s3.call({ method: "DELETE", target: pathOf(bucket, "b") });
  assert.deepEqual(await eventsOf(place), [
    "ObjectCreated:Put a",
    "ObjectCreated:Copy b",
    "ObjectCreated:CompleteMultipartUpload c",
    "ObjectTagging:Put a",
    "ObjectTagging:Delete a",
    "ObjectRemoved:Delete b",
  ]);
  const [first] = await entriesOf(place);
  assert.ok(first?.kind.case === "event");
  const { origin, etag, size } = first.kind.value;
  assert.equal(origin?.principal, ROOT_USER.userId);
  assert.equal(origin.requestId, put.headers.get("x-amz-request-id"));
  assert.equal(origin.hostId, put.headers.get("x-amz-id-2"));
  assert.match(origin.remoteAddress, /127\.0\.0\.1/);
  assert.equal(etag, createHash("md5").update("content").digest("hex"));
  assert.equal(size, 7n);
});

test("refused writes and buckets nobody listens to tell nothing", async () => {
  const silent = await makeBucket(s3);
  await s3.put(silent, "a", "x");
  assert.deepEqual(await eventsOf(await placeOf(silent)), []);
  const bucket = await makeBucket(s3);
  const place = await listen(bucket, Versioning.OFF);
  const refused = await s3.call({
    method: "PUT",
    target: pathOf(bucket, "a"),
    body: "x",
    headers: [["If-Match", '"0"']],
  });
  assert.equal(refused.status, 404);
  assert.deepEqual(await eventsOf(place), []);
});

test("markers and versions that are deleted are told apart", async () => {
  const bucket = await makeVersionedBucket(s3);
  const place = await listen(bucket, Versioning.ENABLED);
  const id = (await s3.put(bucket, "v", "x")).headers.get("x-amz-version-id") ?? "";
  await s3.call({ method: "DELETE", target: pathOf(bucket, "v") });
  await s3.call({ method: "DELETE", target: `${pathOf(bucket, "v")}?versionId=${id}` });
  assert.deepEqual(await eventsOf(place), [
    "ObjectCreated:Put v",
    "ObjectRemoved:DeleteMarkerCreated v",
    "ObjectRemoved:Delete v",
  ]);
  const [first] = await entriesOf(place);
  assert.ok(first?.kind.case === "event");
  assert.equal(toHex(first.kind.value.versionId), id);
});
