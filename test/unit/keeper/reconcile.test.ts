// Index groups come to know what a bucket's record says, whoever died in between.
import assert from "node:assert/strict";
import { test } from "node:test";
import { BucketCatalog } from "../../../services/keeper/buckets/bucket-catalog.ts";
import { BucketReconciler } from "../../../services/keeper/buckets/reconcile-buckets.ts";
import { utf8 } from "../../../services/lib/base/bytes.ts";
import { StoreError } from "../../../services/lib/base/errors.ts";
import {
  type BucketRecord,
  Versioning,
} from "../../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import { NEVER, Rig } from "./rig.ts";

function reconciler(rig: Rig): BucketReconciler {
  return new BucketReconciler(rig.deps, new BucketCatalog(rig.deps));
}

/** Changes the record and tells no group, as a gateway that dies in between. */
async function enableVersioning(rig: Rig, bucket: BucketRecord): Promise<void> {
  const { name, bucketId } = bucket;
  const value = { name, bucketId, versioning: Versioning.ENABLED };
  await rig.execute(1, { case: "changeBucket", value });
}

async function versionIdOfPut(rig: Rig, bucket: BucketRecord): Promise<number> {
  const reply = await rig.put(bucket, "key");
  assert.equal(reply.kind.case, "putObject");
  return reply.kind.case === "putObject" ? reply.kind.value.versionId.byteLength : -1;
}

test("a group that was not told of versioning is told", async (t) => {
  const rig = await Rig.open(t);
  const bucket = await rig.bucket("one");
  await enableVersioning(rig, bucket);
  assert.equal(await versionIdOfPut(rig, bucket), 0);
  assert.equal(await reconciler(rig).round(NEVER), 1);
  assert.equal(await versionIdOfPut(rig, bucket), 16);
});

test("only what changed is told, and nothing of buckets without settings", async (t) => {
  const rig = await Rig.open(t);
  await rig.bucket("plain");
  const bucket = await rig.bucket("one");
  const other = await rig.bucket("two");
  await enableVersioning(rig, bucket);
  await enableVersioning(rig, other);
  const task = reconciler(rig);
  assert.equal(await task.round(NEVER), 2);
  assert.equal(await task.round(NEVER), 0);
  const { name, bucketId } = other;
  const value = { name, bucketId, versioning: Versioning.SUSPENDED };
  await rig.execute(1, { case: "changeBucket", value });
  assert.equal(await task.round(NEVER), 1);
  const configured = rig.calls.filter((call) => call === "configureBucket");
  assert.equal(configured.length, 3);
});

test("a setting that was taken away is told as well", async (t) => {
  const rig = await Rig.open(t);
  const { name, bucketId } = await rig.bucket("one", { notification: "<a/>" });
  const settings = [{ name: "notification", document: utf8("") }];
  await rig.execute(1, { case: "changeBucket", value: { name, bucketId, settings } });
  assert.equal(await reconciler(rig).round(NEVER), 1);
});

test("a group that does not answer is told in a later round; the others are told now", async (t) => {
  const rig = await Rig.open(t);
  const buckets = [await rig.bucket("one"), await rig.bucket("two")];
  for (const bucket of buckets) await enableVersioning(rig, bucket);
  const silent = rig.groupOf(buckets[0] ?? assert.fail());
  const task = reconciler(rig);
  rig.fault = (call, groupId) => {
    if (call === "configureBucket" && groupId === silent) throw new StoreError("denied", "no");
  };
  assert.equal(await task.round(NEVER), 1);
  rig.fault = () => undefined;
  assert.equal(await task.round(NEVER), 1);
  for (const bucket of buckets) assert.equal(await versionIdOfPut(rig, bucket), 16);
});

test("an older state never replaces a newer one", async (t) => {
  const rig = await Rig.open(t);
  const bucket = await rig.bucket("one");
  await enableVersioning(rig, bucket);
  const state = { revision: 99n, versioning: Versioning.SUSPENDED };
  const value = { bucketId: bucket.bucketId, state };
  await rig.execute(rig.groupOf(bucket), { case: "configureBucket", value });
  await reconciler(rig).round(NEVER);
  assert.equal(await versionIdOfPut(rig, bucket), 4);
});

test("a document that cannot be read stops no other bucket", async (t) => {
  const rig = await Rig.open(t);
  await rig.bucket("broken", { quota: "<nonsense" });
  const bucket = await rig.bucket("fine");
  await enableVersioning(rig, bucket);
  assert.equal(await reconciler(rig).round(NEVER), 1);
  assert.ok(rig.log.lines.some(({ message }) => message === "groups not told of a bucket"));
});

test("the catalog knows new buckets, changes after a moment, and what is gone", async (t) => {
  const rig = await Rig.open(t);
  const catalog = new BucketCatalog(rig.deps);
  const now = (): number => rig.clock.monotonicMs();
  const one = await rig.bucket("one");
  const early = now();
  assert.equal((await catalog.find(one.bucketId, early))?.revision, 1n);
  const two = await rig.bucket("two");
  assert.equal((await catalog.find(two.bucketId, now()))?.name, "two");
  await enableVersioning(rig, one);
  assert.equal((await catalog.find(one.bucketId, early))?.revision, 1n, "not asked again");
  assert.equal((await catalog.find(one.bucketId, now()))?.revision, 2n);
  await rig.execute(1, { case: "removeBucket", value: { name: "one", bucketId: one.bucketId } });
  assert.equal(await catalog.find(one.bucketId, now()), undefined);
  const asked = rig.calls.length;
  assert.equal(await catalog.find(one.bucketId, now()), undefined);
  assert.equal(rig.calls.length, asked, "who is gone is not asked about again");
  assert.deepEqual(
    (await catalog.all()).map(({ name }) => name),
    ["two"],
  );
});
