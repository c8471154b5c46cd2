// Shards that committed records freed leave the disks, after their delay; everything alive stays,
// and so does whatever nobody could be asked about.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { collectGarbage } from "../../../services/keeper/garbage/collect-garbage.ts";
import { OrphanSweeper } from "../../../services/keeper/garbage/sweep-orphans.ts";
import { utf8 } from "../../../services/lib/base/bytes.ts";
import { StoreError } from "../../../services/lib/base/errors.ts";
import {
  type BucketRecord,
  DiskState,
} from "../../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import { seededBytes } from "../../support/seeded-bytes.ts";
import { NEVER, Rig } from "./rig.ts";

const KIB = 1024;
const GRACE_MS = 60_000;
const QUARANTINE_MS = 30_000;

async function open(context: TestContext): Promise<{ rig: Rig; bucket: BucketRecord }> {
  const rig = await Rig.open(context, 3);
  return { rig, bucket: await rig.bucket("one") };
}

async function remove(rig: Rig, bucket: BucketRecord, key: string): Promise<void> {
  const value = { bucketId: bucket.bucketId, targets: [{ key: utf8(key) }] };
  await rig.execute(rig.groupOf(bucket), { case: "deleteObjects", value });
}

function sweeper(rig: Rig): OrphanSweeper {
  const config = {
    ...rig.deps.config,
    orphanGraceMs: GRACE_MS,
    orphanQuarantineMs: QUARANTINE_MS,
  };
  return new OrphanSweeper(rig.with({ config }));
}

/** A body on the disks that no record names: its writer died before the commit. */
async function orphan(rig: Rig, bucket: BucketRecord, key: string): Promise<void> {
  const body = seededBytes(key, 100 * KIB);
  await rig.deps.writer.write({
    bucketId: bucket.bucketId,
    key: utf8(key),
    policy: "standard",
    size: body.byteLength,
    source: (async function* () {
      yield body;
    })(),
  });
}

test("shards of deleted and overwritten objects go, those of the living stay", async (t) => {
  const { rig, bucket } = await open(t);
  const alive = seededBytes("alive", 100 * KIB);
  await rig.putBody(bucket, "alive", seededBytes("former", 100 * KIB));
  await rig.putBody(bucket, "alive", alive);
  await rig.putBody(bucket, "gone", seededBytes("gone", 100 * KIB));
  await remove(rig, bucket, "gone");
  assert.equal(await rig.shardCount(), 9);
  rig.clock.shiftMs += 1;
  assert.equal(await collectGarbage(rig.deps, rig.groupOf(bucket), NEVER), 6);
  assert.equal(await rig.shardCount(), 3);
  assert.deepEqual(await rig.get(bucket, "alive"), Buffer.from(alive));
  assert.equal(await collectGarbage(rig.deps, rig.groupOf(bucket), NEVER), 0);
});

test("freed shards stay for the reads that still use them", async (t) => {
  const { rig, bucket } = await open(t);
  await rig.putBody(bucket, "gone", seededBytes("gone", 100 * KIB));
  await remove(rig, bucket, "gone");
  const config = { ...rig.deps.config, garbageDelayMs: 600_000 };
  const deps = rig.with({ config });
  rig.clock.shiftMs += 500_000;
  assert.equal(await collectGarbage(deps, rig.groupOf(bucket), NEVER), 0);
  rig.clock.shiftMs += 200_000;
  assert.equal(await collectGarbage(deps, rig.groupOf(bucket), NEVER), 3);
});

test("shards on a node that is away wait for it", async (t) => {
  const { rig, bucket } = await open(t);
  await rig.putBody(bucket, "gone", seededBytes("gone", 100 * KIB));
  await remove(rig, bucket, "gone");
  await rig.stopNode("node-2");
  rig.clock.shiftMs += 1;
  const groupId = rig.groupOf(bucket);
  assert.equal(await collectGarbage(rig.deps, groupId, NEVER), 2);
  assert.equal(await collectGarbage(rig.deps, groupId, NEVER), 0);
  await rig.startNode("node-2");
  assert.equal(await rig.shardCount(), 1);
  assert.equal(await collectGarbage(rig.deps, groupId, NEVER), 1);
  assert.equal(await rig.shardCount(), 0);
});

test("shards on a disk that is out for good hold up nothing", async (t) => {
  const { rig, bucket } = await open(t);
  await rig.putBody(bucket, "gone", seededBytes("gone", 100 * KIB));
  await remove(rig, bucket, "gone");
  const disks = [{ diskId: 2, state: DiskState.OUT }];
  await rig.execute(1, { case: "setStates", value: { disks } });
  await rig.view.refresh();
  rig.clock.shiftMs += 1;
  const groupId = rig.groupOf(bucket);
  assert.equal(await collectGarbage(rig.deps, groupId, NEVER), 2);
  const value = { freedBeforeMs: BigInt(rig.clock.wallMs() + 1), limit: 10 };
  assert.deepEqual((await rig.query(groupId, { case: "listGarbage", value })).entries, []);
});

test("a keeper that dies between deleting and finishing is made up for", async (t) => {
  const { rig, bucket } = await open(t);
  await rig.putBody(bucket, "gone", seededBytes("gone", 100 * KIB));
  await remove(rig, bucket, "gone");
  rig.clock.shiftMs += 1;
  rig.fault = (call) => {
    if (call === "finishGarbage") throw new StoreError("denied", "dead");
  };
  const groupId = rig.groupOf(bucket);
  await assert.rejects(collectGarbage(rig.deps, groupId, NEVER), { code: "denied" });
  assert.equal(await rig.shardCount(), 0);
  rig.fault = () => undefined;
  assert.equal(await collectGarbage(rig.deps, groupId, NEVER), 0);
  const value = { freedBeforeMs: BigInt(rig.clock.wallMs() + 1), limit: 10 };
  assert.deepEqual((await rig.query(groupId, { case: "listGarbage", value })).entries, []);
});

test("orphans go when they were disowned twice, a quarantine apart, past the grace", async (t) => {
  const { rig, bucket } = await open(t);
  const alive = seededBytes("alive", 100 * KIB);
  await rig.putBody(bucket, "alive", alive);
  await orphan(rig, bucket, "lost");
  const task = sweeper(rig);
  assert.equal(await task.sweep(NEVER), 0, "its writer may still commit");
  rig.clock.shiftMs += GRACE_MS + 1;
  assert.equal(await task.sweep(NEVER), 0, "disowned for the first time");
  rig.clock.shiftMs += QUARANTINE_MS - 5000;
  assert.equal(await task.sweep(NEVER), 0, "too soon after the first time");
  rig.clock.shiftMs += 6000;
  assert.equal(await task.sweep(NEVER), 3);
  assert.equal(await rig.shardCount(), 3);
  assert.deepEqual(await rig.get(bucket, "alive"), Buffer.from(alive));
});

test("a writer older than the fence can commit no more", async (t) => {
  const { rig, bucket } = await open(t);
  const body = seededBytes("late", 100 * KIB);
  const { bucketId } = bucket;
  const manifest = await rig.deps.writer.write({
    bucketId,
    key: utf8("late"),
    policy: "standard",
    size: body.byteLength,
    source: (async function* () {
      yield body;
    })(),
  });
  rig.clock.shiftMs += GRACE_MS + 1;
  await sweeper(rig).sweep(NEVER);
  const version = {
    size: BigInt(body.byteLength),
    body: { case: "manifestId", value: manifest.manifestId },
  } as const;
  const value = { bucketId, key: utf8("late"), manifest, version };
  const put = rig.execute(rig.groupOf(bucket), { case: "putObject", value });
  await assert.rejects(put, /putObject: 7/);
});

test("when a group does not answer, nothing is judged", async (t) => {
  const { rig, bucket } = await open(t);
  await orphan(rig, bucket, "lost");
  const task = sweeper(rig);
  rig.clock.shiftMs += GRACE_MS + 1;
  await task.sweep(NEVER);
  rig.clock.shiftMs += QUARANTINE_MS + 1;
  rig.fault = (call, groupId) => {
    if (call === "ownedManifests" && groupId === 3) throw new StoreError("denied", "silent");
  };
  assert.equal(await task.sweep(NEVER), 0);
  assert.equal(await rig.shardCount(), 3);
  rig.fault = () => undefined;
  // What was seen before is forgotten in the failed pass or not; it takes two more at most.
  await task.sweep(NEVER);
  rig.clock.shiftMs += QUARANTINE_MS + 1;
  await task.sweep(NEVER);
  assert.equal(await rig.shardCount(), 0);
});

test("a fence that cannot be moved ends the pass", async (t) => {
  const { rig, bucket } = await open(t);
  await orphan(rig, bucket, "lost");
  rig.clock.shiftMs += GRACE_MS + 1;
  rig.fault = (call) => {
    if (call === "advanceFence") throw new StoreError("denied", "silent");
  };
  await assert.rejects(sweeper(rig).sweep(NEVER), { code: "denied" });
  assert.equal(await rig.shardCount(), 3);
});
