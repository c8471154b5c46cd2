// Bodies that one campus acknowledged come to lie where their policy wants them: once, the same
// bytes, and not before another campus takes shards. Until then two copies stand in the first one.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { FollowTask } from "../../../services/keeper/follow/follow-task.ts";
import { RepairQueue } from "../../../services/keeper/repair/repair-queue.ts";
import { present } from "../../../services/lib/base/assert.ts";
import { utf8 } from "../../../services/lib/base/bytes.ts";
import { StoreError } from "../../../services/lib/base/errors.ts";
import {
  type BucketRecord,
  NodeState,
} from "../../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import type {
  Manifest,
  RepairEntry,
} from "../../../services/lib/gen/dolium/record/v1/object_pb.ts";
import { seededBytes } from "../../support/seeded-bytes.ts";
import { NEVER, Rig } from "./rig.ts";

const BEHIND_MS = 50;
const BODY = seededBytes("follows", 300 * 1024);

interface World {
  readonly rig: Rig;
  readonly bucket: BucketRecord;
  readonly groupId: number;
  readonly task: FollowTask;
}

/** Two nodes in each of two campuses, and one object that campus "a" acknowledged. */
async function open(context: TestContext): Promise<World> {
  const rig = await Rig.open(context);
  for (const name of ["a1", "a2", "b1", "b2"]) await rig.startNode(name, name.slice(0, 1));
  await rig.view.refresh();
  const bucket = await rig.bucket("one");
  await rig.putBody(bucket, "k", BODY, { policy: "@a", followPolicy: "standard" });
  return { rig, bucket, groupId: rig.groupOf(bucket), task: new FollowTask(rig.deps) };
}

async function manifestOf({ rig, bucket, groupId }: World): Promise<Manifest> {
  const value = { bucketId: bucket.bucketId, key: utf8("k"), withBody: true };
  const { manifests } = await rig.query(groupId, { case: "getObject", value });
  return present(manifests[0], "manifest");
}

/** Campuses of the shards, each once. */
async function campusesOf(world: World): Promise<string[]> {
  const { rig } = world;
  const places = (await manifestOf(world)).chunks.flatMap(({ diskIds }) => diskIds);
  const campuses = places
    .map((diskId) => rig.view.addressOf(diskId))
    .map((disk) => {
      return disk === undefined ? "" : (rig.view.campusOf(disk) ?? "");
    });
  return [...new Set(campuses)].sort();
}

async function queue({ rig, groupId }: World): Promise<RepairEntry[]> {
  const value = { cursor: new Uint8Array(0), limit: 100 };
  return (await rig.query(groupId, { case: "listRepairs", value })).entries;
}

/** The nodes of campus "b" are silent, or heard again. */
async function campusB({ rig }: World, state: NodeState): Promise<void> {
  const nodes = rig.view
    .map()
    .nodes.filter(({ campus }) => campus === "b")
    .map(({ nodeId }) => ({ nodeId, state }));
  await rig.execute(1, { case: "setStates", value: { nodes } });
  await rig.view.refresh();
}

test("two copies in one campus at first; then as the policy wants it, byte for byte", async (t) => {
  const world = await open(t);
  const { rig, bucket, groupId, task } = world;
  const before = await manifestOf(world);
  assert.deepEqual([before.dataShards, before.parityShards], [1, 1]);
  assert.equal(new Set(before.chunks[0]?.diskIds).size, 2);
  assert.deepEqual(await campusesOf(world), ["a"]);
  assert.equal((await queue(world)).length, before.chunks.length);
  const round = await task.round([groupId], NEVER);
  assert.deepEqual(round, { bodies: 1, bytes: BODY.byteLength, waiting: 0 });
  const after = await manifestOf(world);
  assert.equal(after.policy, "standard");
  assert.equal(after.followPolicy, "");
  assert.deepEqual(after.manifestId, before.manifestId);
  assert.deepEqual(await campusesOf(world), ["a", "b"]);
  assert.deepEqual(await queue(world), []);
  assert.deepEqual(await rig.get(bucket, "k"), Buffer.from(BODY));
  assert.deepEqual(await task.round([groupId], NEVER), { bodies: 0, bytes: 0, waiting: 0 });
  assert.equal(rig.metrics.values.get("follow_bodies_total"), 1);
});

test("while no other campus takes shards it waits, and is tried again", async (t) => {
  const world = await open(t);
  const { rig, groupId, task } = world;
  await campusB(world, NodeState.DOWN);
  assert.deepEqual(await task.round([groupId], NEVER), { bodies: 0, bytes: 0, waiting: 1 });
  assert.deepEqual(await campusesOf(world), ["a"]);
  rig.clock.shiftMs += BEHIND_MS;
  await task.round([groupId], NEVER);
  assert.equal(rig.metrics.values.get("follow_waiting_bodies"), 1);
  assert.ok((rig.metrics.values.get("follow_behind_seconds") ?? 0) >= BEHIND_MS / 1000);
  await campusB(world, NodeState.UP);
  rig.clock.shiftMs += rig.deps.config.repairRetryMs;
  assert.equal((await task.round([groupId], NEVER)).bodies, 1);
  assert.deepEqual(await campusesOf(world), ["a", "b"]);
});

test("an object that is overwritten before it followed costs nothing more", async (t) => {
  const world = await open(t);
  const { rig, bucket, groupId, task } = world;
  let overwrites = 1;
  rig.fault = (call) => {
    if (call !== "rewriteManifest" || overwrites === 0) return;
    overwrites -= 1;
    throw new StoreError("invalid", "no answer");
  };
  assert.equal((await task.round([groupId], NEVER)).waiting, 1, "the commit failed");
  await rig.putBody(bucket, "k", BODY.subarray(7));
  assert.deepEqual(await queue(world), []);
  assert.deepEqual(await task.round([groupId], NEVER), { bodies: 0, bytes: 0, waiting: 0 });
  assert.deepEqual(await rig.get(bucket, "k"), Buffer.from(BODY.subarray(7)));
});

test("repair leaves alone what only waits to follow", async (t) => {
  const world = await open(t);
  const { rig, groupId } = world;
  const round = await new RepairQueue(rig.deps).work([groupId], NEVER);
  assert.equal(round.repairedChunks + round.waitingChunks, 0);
  assert.equal((await queue(world)).length, 1);
});
