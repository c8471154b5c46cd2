// Chunks that lost shards are made whole from the others; nothing is moved that only is away, and a
// repair that comes too late changes nothing.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Keeper } from "../../../services/keeper/keeper.ts";
import { LostDiskSearch } from "../../../services/keeper/repair/lost-disk-search.ts";
import { RepairQueue, type RepairRound } from "../../../services/keeper/repair/repair-queue.ts";
import { present } from "../../../services/lib/base/assert.ts";
import { utf8 } from "../../../services/lib/base/bytes.ts";
import { StoreError } from "../../../services/lib/base/errors.ts";
import type { ShardId } from "../../../services/lib/clients/shard-client.ts";
import {
  type BucketRecord,
  DiskState,
} from "../../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import type { Chunk } from "../../../services/lib/gen/dolium/record/v1/object_pb.ts";
import { StatShardsResponse_State as ShardState } from "../../../services/lib/gen/dolium/storage/v1/storage_pb.ts";
import { eventually } from "../../support/eventually.ts";
import { seededBytes } from "../../support/seeded-bytes.ts";
import { NEVER, Rig } from "./rig.ts";

const BODY = seededBytes("body", 100 * 1024);
/** Offset in the segment of a node's only shard. */
const WITHIN_BODY = 10_000;

interface World {
  readonly rig: Rig;
  readonly bucket: BucketRecord;
  readonly groupId: number;
}

/** Four nodes and one object of three shards. */
async function open(context: TestContext): Promise<World> {
  const rig = await Rig.open(context, 4);
  const bucket = await rig.bucket("one");
  await rig.putBody(bucket, "a", BODY);
  return { rig, bucket, groupId: rig.groupOf(bucket) };
}

async function chunkOf({ rig, bucket, groupId }: World): Promise<Chunk> {
  const value = { bucketId: bucket.bucketId, key: utf8("a"), withBody: true };
  const { manifests } = await rig.query(groupId, { case: "getObject", value });
  return present(manifests[0]?.chunks[0], "chunk");
}

async function loseDisk({ rig }: World, diskId: number): Promise<void> {
  const disks = [{ diskId, state: DiskState.FAILED }];
  await rig.execute(1, { case: "setStates", value: { disks } });
  await rig.view.refresh();
}

/** Searches what lost disks held, and works the queue once. */
async function repair({ rig, groupId }: World): Promise<RepairRound> {
  rig.clock.shiftMs += 10;
  await new LostDiskSearch(rig.deps).round(groupId, NEVER);
  return new RepairQueue(rig.deps).work([groupId], NEVER);
}

test("a shard on a lost disk is rebuilt elsewhere, and the queue is empty after it", async (t) => {
  const world = await open(t);
  const before = await chunkOf(world);
  const lost = present(before.diskIds[1], "disk");
  await loseDisk(world, lost);
  const round = await repair(world);
  assert.equal(round.repairedChunks, 1);
  assert.equal(round.rebuiltShards, 1);
  assert.ok(round.rebuiltBytes > 0);
  assert.equal(round.waitingChunks, 0);
  const after = await chunkOf(world);
  assert.ok(!after.diskIds.includes(lost));
  assert.equal(new Set(after.diskIds).size, 3);
  assert.deepEqual(await world.rig.get(world.bucket, "a"), Buffer.from(BODY));
  assert.equal((await repair(world)).repairedChunks, 0);
});

test("rebuilt bytes are the right ones: the other data shard may be lost next", async (t) => {
  const world = await open(t);
  const first = present((await chunkOf(world)).diskIds[0], "disk");
  await loseDisk(world, first);
  await repair(world);
  const second = present((await chunkOf(world)).diskIds[1], "disk");
  await loseDisk(world, second);
  assert.deepEqual(await world.rig.get(world.bucket, "a"), Buffer.from(BODY));
});

test("a node that is only away keeps its shards, and the chunk waits", async (t) => {
  const world = await open(t);
  const { rig, bucket, groupId } = world;
  const chunk = await chunkOf(world);
  const diskId = present(chunk.diskIds[0], "disk");
  const node = rig.view
    .map()
    .nodes.find(({ disks }) => disks.some((disk) => disk.diskId === diskId));
  await rig.stopNode(present(node, "node").name);
  const entry = { bucketId: bucket.bucketId, key: utf8("a"), owed: 1, sinceMs: 1n };
  const manifestId = present(await manifestIdOf(world), "manifest");
  const entries = [{ ...entry, manifestId, chunkId: chunk.chunkId }];
  await rig.execute(groupId, { case: "enqueueRepairs", value: { entries } });
  const round = await repair(world);
  assert.equal(round.repairedChunks, 0);
  assert.equal(round.rebuiltBytes, 0);
  assert.equal(round.waitingChunks, 1);
  assert.ok(round.oldestMs !== undefined);
  assert.deepEqual((await chunkOf(world)).diskIds, chunk.diskIds);
  await showsWhatWaits(rig);
  await rig.startNode(present(node, "node").name);
  assert.equal((await repair(world)).repairedChunks, 1);
  assert.deepEqual((await chunkOf(world)).diskIds, chunk.diskIds);
});

test("shards that their disks doubt are read, and checked, where too little else is left", async (t) => {
  const world = await open(t);
  const { rig, bucket, groupId } = world;
  const { chunkId, diskIds } = await chunkOf(world);
  for (const shardIndex of [0, 1]) {
    await misread(rig, present(diskIds[shardIndex], "disk"), { chunkId, shardIndex });
  }
  const manifestId = present(await manifestIdOf(world), "manifest");
  const entry = { bucketId: bucket.bucketId, key: utf8("a"), owed: 2, sinceMs: 1n };
  const entries = [{ ...entry, manifestId, chunkId }];
  await rig.execute(groupId, { case: "enqueueRepairs", value: { entries } });
  const round = await repair(world);
  assert.equal(round.rebuiltShards, 2);
  assert.equal(round.waitingChunks, 0);
  assert.deepEqual((await chunkOf(world)).diskIds, diskIds);
  assert.deepEqual(await rig.get(bucket, "a"), Buffer.from(BODY));
});

/** A disk reads a wrong byte once, and holds the shard for damaged until it is written again. */
async function misread(rig: Rig, diskId: number, name: ShardId): Promise<void> {
  const isOn = ({ disks }: { readonly disks: readonly { readonly diskId: number }[] }): boolean =>
    disks.some((disk) => disk.diskId === diskId);
  const folder = rig.folderOf(present(rig.view.map().nodes.find(isOn), "node").name);
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
  const path = join(
    folder,
    present(
      files.find((file) => file.endsWith(".seg")),
      "segment",
    ),
  );
  const right = readFileSync(path);
  const wrong = Buffer.from(right);
  wrong.writeUInt8(right.readUInt8(WITHIN_BODY) ^ 1, WITHIN_BODY);
  writeFileSync(path, wrong);
  const disk = present(rig.view.addressOf(diskId), "address");
  const check = { verify: true, signal: NEVER };
  assert.deepEqual(await rig.shards.stat(disk, [name], check), [ShardState.CORRUPT]);
  writeFileSync(path, right);
}

/** A keeper counts the chunk that waits, and for how long. */
async function showsWhatWaits(rig: Rig): Promise<void> {
  const keeper = new Keeper(rig.with({ config: { ...rig.deps.config, intervalMs: 20 } }));
  keeper.start();
  try {
    const { values } = rig.metrics;
    await eventually("the chunk is counted", 60_000, async () =>
      values.get("repair_queue_length") === 1 ? true : undefined,
    );
    assert.ok((values.get("repair_oldest_seconds") ?? 0) > 0);
  } finally {
    await keeper.close();
  }
}

async function manifestIdOf({ rig, bucket, groupId }: World): Promise<Uint8Array | undefined> {
  const value = { bucketId: bucket.bucketId, key: utf8("a"), withBody: true };
  const { manifests } = await rig.query(groupId, { case: "getObject", value });
  return manifests[0]?.manifestId;
}

test("a repair whose commit is lost is done again and changes nothing twice", async (t) => {
  const world = await open(t);
  const { rig } = world;
  await loseDisk(world, present((await chunkOf(world)).diskIds[2], "disk"));
  let lost = 0;
  rig.lostAnswer = (call) => {
    if (call !== "relocateShards" || lost > 0) return;
    lost += 1;
    throw new StoreError("denied", "the answer was lost");
  };
  const round = await repair(world);
  assert.equal(round.waitingChunks, 1);
  const moved = await chunkOf(world);
  assert.equal((await repair(world)).waitingChunks, 0);
  assert.deepEqual((await chunkOf(world)).diskIds, moved.diskIds);
  assert.deepEqual(await rig.get(world.bucket, "a"), Buffer.from(BODY));
});

test("an object that was deleted meanwhile needs no repair", async (t) => {
  const world = await open(t);
  const { rig, bucket, groupId } = world;
  await loseDisk(world, present((await chunkOf(world)).diskIds[0], "disk"));
  await new LostDiskSearch(rig.deps).round(groupId, NEVER);
  const value = { bucketId: bucket.bucketId, targets: [{ key: utf8("a") }] };
  await rig.execute(groupId, { case: "deleteObjects", value });
  const round = await new RepairQueue(rig.deps).work([groupId], NEVER);
  assert.equal(round.rebuiltShards, 0);
  assert.equal(round.waitingChunks, 0);
});

test("with fewer disks than shards they share evenly; without any the chunk waits", async (t) => {
  const world = await open(t);
  const { rig } = world;
  const { diskIds } = await chunkOf(world);
  const spare = [1, 2, 3, 4].find((diskId) => !diskIds.includes(diskId));
  const [first, second, third] = diskIds;
  await loseDisk(world, present(spare, "spare"));
  await loseDisk(world, present(first, "disk"));
  assert.equal((await repair(world)).repairedChunks, 1);
  const shared = (await chunkOf(world)).diskIds;
  assert.deepEqual(shared.slice(1), [second, third]);
  assert.ok(shared[0] === second || shared[0] === third);
  const full = [second, third].map((diskId) => ({
    diskId: present(diskId, "disk"),
    state: DiskState.READ_ONLY,
  }));
  await rig.execute(1, { case: "setStates", value: { disks: full } });
  await loseDisk(world, present(shared[0], "disk"));
  const round = await repair(world);
  assert.equal(round.repairedChunks, 0);
  assert.equal(round.waitingChunks, 1);
});

test("two keepers at one queue do no harm", async (t) => {
  const world = await open(t);
  const { rig, groupId } = world;
  await loseDisk(world, present((await chunkOf(world)).diskIds[0], "disk"));
  rig.clock.shiftMs += 10;
  await new LostDiskSearch(rig.deps).round(groupId, NEVER);
  const queues = [new RepairQueue(rig.deps), new RepairQueue(rig.deps)];
  await Promise.all(queues.map((queue) => queue.work([groupId], NEVER)));
  assert.equal((await repair(world)).waitingChunks, 0);
  const { diskIds } = await chunkOf(world);
  assert.equal(new Set(diskIds).size, 3);
  assert.deepEqual(await rig.get(world.bucket, "a"), Buffer.from(BODY));
});
