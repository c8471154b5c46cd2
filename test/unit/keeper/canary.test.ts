// The canary: one of its shards is damaged, found and repaired, and the time is taken; nothing but
// a canary can be damaged so, and nothing at all while something else is missing.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import { Keeper } from "../../../services/keeper/keeper.ts";
import { CANARY_BUCKET, CanaryTask } from "../../../services/keeper/verify/canary-task.ts";
import { present } from "../../../services/lib/base/assert.ts";
import { utf8 } from "../../../services/lib/base/bytes.ts";
import { canaryKey, isCanaryKey } from "../../../services/lib/base/canary.ts";
import { isStoreError } from "../../../services/lib/base/errors.ts";
import type { DiskAddress, ShardId } from "../../../services/lib/clients/shard-client.ts";
import type { BucketRecord } from "../../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import type { Manifest } from "../../../services/lib/gen/dolium/record/v1/object_pb.ts";
import { StatShardsResponse_State as ShardState } from "../../../services/lib/gen/dolium/storage/v1/storage_pb.ts";
import { isValidBucketName } from "../../../services/lib/s3/bucket-name.ts";
import { eventually } from "../../support/eventually.ts";
import { seededBytes } from "../../support/seeded-bytes.ts";
import { NEVER, Rig } from "./rig.ts";

const BODY = seededBytes("canary", 100 * 1024);

interface Place {
  readonly disk: DiskAddress;
  readonly shard: ShardId;
  readonly manifest: Manifest;
}

/** A shard of a body that is written under `key` and committed. */
async function shardOf(rig: Rig, bucket: BucketRecord, key: string): Promise<Place> {
  await rig.putBody(bucket, key, BODY);
  const value = { bucketId: bucket.bucketId, key: utf8(key), withBody: true };
  const { manifests } = await rig.query(rig.groupOf(bucket), { case: "getObject", value });
  const manifest = present(manifests[0], "manifest");
  const chunk = present(manifest.chunks[0], "chunk");
  const disk = present(rig.view.addressOf(chunk.diskIds[0] ?? 0), "disk");
  return { disk, shard: { chunkId: chunk.chunkId, shardIndex: 0 }, manifest };
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    if (isStoreError(error)) return error.code;
    throw error;
  }
  return "none";
}

/** A task that has little patience and no keeper that would repair. */
function alone(rig: Rig): CanaryTask {
  const config = { ...rig.deps.config, canaryLimitMs: 400 };
  return new CanaryTask(rig.with({ config }));
}

async function openRig(context: TestContext): Promise<Rig> {
  return Rig.open(context, 3);
}

test("a damaged canary is found and repaired by a running keeper, and counted", async (t) => {
  const rig = await openRig(t);
  const config = { ...rig.deps.config, canaryIntervalMs: 10, canaryLimitMs: 120_000 };
  const keeper = new Keeper(rig.with({ config }));
  keeper.start();
  try {
    const report = await eventually("a canary", 180_000, async () => {
      const { verified } = JSON.parse(keeper.details());
      return verified.canary?.looked >= 1 ? verified.canary : undefined;
    });
    assert.equal(report.problems, 0);
  } finally {
    await keeper.close();
  }
  const value = { name: CANARY_BUCKET };
  const { bucket } = await rig.query(1, { case: "getBucket", value });
  assert.ok(bucket !== undefined);
  assert.ok(!isValidBucketName(bucket.name), "no client can make it first");
});

test("without the setting nothing is written", async (t) => {
  const rig = await openRig(t);
  const keeper = new Keeper(rig.with({ config: { ...rig.deps.config, verifyIntervalMs: 100 } }));
  keeper.start();
  try {
    await eventually("rounds of other tasks", 120_000, async () => {
      return rig.calls.filter((call) => call === "scanManifests").length >= 3 ? true : undefined;
    });
  } finally {
    await keeper.close();
  }
  assert.equal(rig.calls.includes("createBucket"), false);
});

test("a canary that nobody repairs is a problem", async (t) => {
  const rig = await openRig(t);
  const task = alone(rig);
  await task.round(NEVER);
  assert.deepEqual([task.report?.looked, task.report?.problems], [1, 1]);
});

test("nothing is damaged while a shard of the canary is missing", async (t) => {
  const rig = await openRig(t);
  let damages = 0;
  rig.shards.damageCanary = async () => {
    damages += 1;
  };
  const stat = rig.shards.stat.bind(rig.shards);
  rig.shards.stat = async (disk, names, options) => {
    const states = await stat(disk, names, options);
    return states.map((state) => (disk.diskId === 2 ? ShardState.MISSING : state));
  };
  const task = alone(rig);
  await task.round(NEVER);
  assert.equal(damages, 0);
  assert.equal(task.report, undefined);
});

test("a node damages no shard but a canary's, whoever asks", async (t) => {
  const rig = await openRig(t);
  const bucket = await rig.bucket("one");
  // As near as a client can come: the same bytes as text.
  for (const key of ["photo.jpg", "\u00ff\u00fecanary/one"]) {
    const { disk, shard, manifest } = await shardOf(rig, bucket, key);
    const damage = rig.shards.damageCanary(disk, shard, manifest.manifestId);
    assert.equal(await codeOf(damage), "denied");
    const states = await rig.shards.stat(disk, [shard], { verify: true });
    assert.deepEqual(states, [ShardState.PRESENT]);
  }
});

test("a canary's shard is damaged only by its manifest's name, and read as corrupt then", async (t) => {
  const rig = await openRig(t);
  const bucket = await rig.bucket("two");
  const manifest = await rig.deps.writer.write({
    bucketId: bucket.bucketId,
    key: canaryKey("test"),
    policy: "standard",
    size: BODY.byteLength,
    source: (async function* () {
      yield BODY;
    })(),
  });
  const chunk = present(manifest.chunks[0], "chunk");
  const disk = present(rig.view.addressOf(chunk.diskIds[1] ?? 0), "disk");
  const shard = { chunkId: chunk.chunkId, shardIndex: 1 };
  const other = new Uint8Array(16).fill(7);
  assert.equal(await codeOf(rig.shards.damageCanary(disk, shard, other)), "denied");
  const missing = { chunkId: other, shardIndex: 1 };
  const asked = rig.shards.damageCanary(disk, missing, manifest.manifestId);
  assert.equal(await codeOf(asked), "not-found");
  assert.deepEqual(await rig.shards.stat(disk, [shard], { verify: true }), [ShardState.PRESENT]);
  await rig.shards.damageCanary(disk, shard, manifest.manifestId);
  // The node does not know yet; who reads it finds out.
  assert.deepEqual(await rig.shards.stat(disk, [shard], { verify: false }), [ShardState.PRESENT]);
  assert.deepEqual(await rig.shards.stat(disk, [shard], { verify: true }), [ShardState.CORRUPT]);
  const others = chunk.diskIds.map((diskId, shardIndex) => ({ diskId, shardIndex }));
  for (const { diskId, shardIndex } of others.filter((one) => one.shardIndex !== 1)) {
    const place = present(rig.view.addressOf(diskId), "disk");
    const name = { chunkId: chunk.chunkId, shardIndex };
    assert.deepEqual(await rig.shards.stat(place, [name], { verify: true }), [ShardState.PRESENT]);
  }
});

test("no text is a canary's key", () => {
  assert.ok(isCanaryKey(canaryKey("one")));
  assert.ok(!isCanaryKey(canaryKey("")));
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => !isCanaryKey(utf8(text))));
});
