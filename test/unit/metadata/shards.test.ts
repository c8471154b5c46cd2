// What happens to shards: relocation by compare-and-swap, the repair queue, the garbage queue, and
// the verdicts that decide whether a storage node may delete something.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { OwnedManifestsAnswer_Verdict as Verdict } from "../../../services/lib/gen/dolium/metadata/v1/metadata_pb.ts";
import {
  Outcome,
  type RelocateShardsSchema,
  type Reply,
} from "../../../services/lib/gen/dolium/record/v1/command_pb.ts";
import type { Manifest } from "../../../services/lib/gen/dolium/record/v1/object_pb.ts";
import { idOf, key, Machine, manifestId, manifestOf } from "./harness.ts";

async function put(
  machine: Machine,
  places: readonly (readonly number[])[],
  relaxed = false,
): Promise<Manifest> {
  const id = manifestId(machine.nowMs, places.flat().length);
  const manifest = manifestOf({ key: key("k"), id, places, relaxed });
  const version = { size: manifest.size, body: { case: "manifestId" as const, value: id } };
  const value = { bucketId: 1, key: key("k"), version, manifest };
  assert.equal((await machine.execute({ case: "putObject", value })).outcome, Outcome.OK);
  return manifest;
}

type Change = readonly [shardIndex: number, fromDiskId: number, toDiskId: number];

function relocate(
  machine: Machine,
  manifest: Manifest,
  changes: readonly Change[],
  more: Omit<Partial<MessageInitShape<typeof RelocateShardsSchema>>, "$typeName"> = {},
): Promise<Reply> {
  const chunkId = manifest.chunks[0]?.chunkId ?? idOf(0);
  const value = {
    bucketId: 1,
    key: key("k"),
    manifestId: manifest.manifestId,
    chunkId,
    changes: changes.map(([shardIndex, fromDiskId, toDiskId]) => ({
      shardIndex,
      fromDiskId,
      toDiskId,
    })),
    placementGroup: 4,
    begunMs: BigInt(machine.nowMs),
    ...more,
  };
  return machine.execute({ case: "relocateShards", value });
}

async function places(machine: Machine, manifest: Manifest): Promise<number[][]> {
  const value = { bucketId: 1, key: key("k"), manifestIds: [manifest.manifestId] };
  const { manifests } = await machine.query({ case: "getManifest", value });
  return (manifests[0]?.chunks ?? []).map((chunk) => chunk.diskIds);
}

async function garbage(machine: Machine, query: object = {}) {
  const value = { freedBeforeMs: BigInt(machine.nowMs + 10), limit: 100, ...query };
  return (await machine.query({ case: "listGarbage", value })).entries;
}

async function repairs(machine: Machine) {
  return (await machine.query({ case: "listRepairs", value: { limit: 100 } })).entries;
}

const stats = (machine: Machine) => machine.query({ case: "groupStats", value: {} });

test("a relocation moves what is where the caller says, and frees the old places", async (t) => {
  const machine = await Machine.open(t);
  const manifest = await put(machine, [
    [1, 2, 3],
    [4, 5, 6],
  ]);
  const begunMs = BigInt(machine.nowMs);
  const reply = await relocate(machine, manifest, [
    [0, 1, 7],
    [2, 3, 8],
  ]);
  assert.equal(reply.outcome, Outcome.OK, reply.message);
  assert.deepEqual(await places(machine, manifest), [
    [7, 2, 8],
    [4, 5, 6],
  ]);
  const [freed] = await garbage(machine);
  assert.equal(freed?.begunBeforeMs, begunMs);
  assert.deepEqual(
    freed?.shards.map((shard) => [shard.shardIndex, shard.diskId]),
    [
      [0, 1],
      [2, 3],
    ],
  );
  await machine.audit();
});

test("a shard that is elsewhere refuses the whole relocation", async (t) => {
  const machine = await Machine.open(t);
  const manifest = await put(machine, [[1, 2, 3]]);
  const reply = await relocate(machine, manifest, [
    [0, 1, 7],
    [1, 9, 8],
  ]);
  assert.equal(reply.outcome, Outcome.CONFLICT);
  const outside = await relocate(machine, manifest, [[5, 1, 7]]);
  assert.equal(outside.outcome, Outcome.CONFLICT);
  assert.deepEqual(await places(machine, manifest), [[1, 2, 3]]);
  assert.equal((await garbage(machine)).length, 0);
});

test("a relocation of what is gone, fenced or overtaken is refused", async (t) => {
  const machine = await Machine.open(t);
  const manifest = await put(machine, [[1, 2, 3]]);
  const gone = await relocate(machine, manifest, [[0, 1, 7]], { manifestId: idOf(77) });
  assert.equal(gone.outcome, Outcome.NO_SUCH_KEY);
  const noChunk = await relocate(machine, manifest, [[0, 1, 7]], { chunkId: idOf(78) });
  assert.equal(noChunk.outcome, Outcome.NO_SUCH_KEY);
  const beginning = BigInt(Buffer.from(manifest.manifestId).readUIntBE(0, 6));
  const early = await relocate(machine, manifest, [[0, 1, 7]], { begunMs: beginning });
  assert.equal(early.outcome, Outcome.CONFLICT);
  const begunMs = BigInt(machine.nowMs);
  assert.equal((await relocate(machine, manifest, [[0, 1, 7]], { begunMs })).outcome, Outcome.OK);
  const same = await relocate(machine, manifest, [[0, 7, 9]], { begunMs });
  assert.equal(same.outcome, Outcome.CONFLICT, "begun no later than the last relocation");
  await machine.execute({ case: "advanceFence", value: { fenceMs: begunMs + 50n } });
  const fenced = await relocate(machine, manifest, [[0, 7, 9]], { begunMs: begunMs + 40n });
  assert.equal(fenced.outcome, Outcome.FENCED);
});

test("rewriting a shard on its own disk makes no garbage", async (t) => {
  const machine = await Machine.open(t);
  const manifest = await put(machine, [[1, 2, 3]]);
  assert.equal((await relocate(machine, manifest, [[1, 2, 2]])).outcome, Outcome.OK);
  assert.deepEqual(await garbage(machine), []);
});

test("a repair that makes a chunk whole ends its entry, a partial one keeps it", async (t) => {
  const machine = await Machine.open(t);
  const manifest = await put(machine, [[1, 2, 0, 0]]);
  const [queued] = await repairs(machine);
  assert.equal(queued?.owed, 2);
  await relocate(machine, manifest, [[2, 0, 7]]);
  const [left] = await repairs(machine);
  assert.deepEqual([left?.owed, left?.sinceMs], [1, queued?.sinceMs]);
  assert.equal((await stats(machine)).shardsOwed, 1n);
  await relocate(machine, manifest, [[3, 0, 8]], { relaxed: true });
  const [relaxed] = await repairs(machine);
  assert.deepEqual([relaxed?.owed, relaxed?.relaxed], [0, true]);
  await relocate(machine, manifest, []);
  const { repairEntries, shardsOwed } = await stats(machine);
  assert.deepEqual([repairEntries, shardsOwed], [0n, 0n]);
  assert.deepEqual(await garbage(machine), []);
  await machine.audit();
});

test("damage that was reported stays queued until as many shards are rebuilt", async (t) => {
  const machine = await Machine.open(t);
  const manifest = await put(machine, [[1, 2, 3, 4]]);
  const chunkId = manifest.chunks[0]?.chunkId ?? idOf(0);
  const entry = { bucketId: 1, key: key("k"), manifestId: manifest.manifestId, chunkId, owed: 2 };
  const strange = { ...entry, manifestId: idOf(1) };
  const unknown = { ...entry, chunkId: idOf(2) };
  const entries = [entry, strange, unknown, { ...entry, owed: 1 }];
  await machine.execute({ case: "enqueueRepairs", value: { entries } });
  const queued = await repairs(machine);
  assert.deepEqual(
    queued.map(({ owed }) => owed),
    [2],
  );
  await relocate(machine, manifest, [[0, 1, 9]]);
  assert.equal((await repairs(machine))[0]?.owed, 1);
  await relocate(machine, manifest, [[1, 2, 8]]);
  assert.equal((await repairs(machine)).length, 0);
});

test("finished garbage leaves the queue, what could not be reached stays", async (t) => {
  const machine = await Machine.open(t);
  await put(machine, [
    [1, 2, 3],
    [3, 4, 5],
  ]);
  await put(machine, [[1, 2, 3, 4]]);
  const [first] = await garbage(machine);
  const sequence = first?.sequence ?? 0n;
  const finish = (remainingDiskIds: number[]) =>
    machine.execute({ case: "finishGarbage", value: { done: [{ sequence, remainingDiskIds }] } });
  await finish([3, 99]);
  const [left] = await garbage(machine);
  assert.deepEqual(
    left?.shards.map(({ diskId }) => diskId),
    [3, 3],
  );
  await finish([]);
  assert.deepEqual(await garbage(machine), []);
  assert.equal((await finish([])).outcome, Outcome.OK);
  assert.equal((await stats(machine)).garbageEntries, 0n);
  await machine.audit();
});

test("garbage is listed from a sequence on and up to a time", async (t) => {
  const machine = await Machine.open(t);
  for (let at = 0; at < 5; at += 1) await put(machine, [Array.from({ length: 3 + at }, () => 1)]);
  const all = await garbage(machine);
  assert.equal(all.length, 4);
  const later = await garbage(machine, { afterSequence: all[1]?.sequence ?? 0n });
  assert.deepEqual(
    later.map(({ sequence }) => sequence),
    [all[2]?.sequence, all[3]?.sequence],
  );
  const early = await garbage(machine, { freedBeforeMs: all[2]?.freedMs ?? 0n });
  assert.equal(early.length, 2);
  assert.equal((await garbage(machine, { limit: 3 })).length, 3);
});

test("verdicts: owned, garbage, pending, and disowned only behind the fence", async (t) => {
  const machine = await Machine.open(t);
  const manifest = await put(machine, [[1, 2, 3]]);
  const chunkId = manifest.chunks[0]?.chunkId ?? idOf(0);
  const begun = BigInt(Buffer.from(manifest.manifestId).readUIntBE(0, 6));
  const relocated = BigInt(machine.nowMs);
  await relocate(machine, manifest, [[0, 1, 7]]);
  const owner = { bucketId: 1, key: key("k"), manifestId: manifest.manifestId };
  const strange = { ...owner, manifestId: manifestId(Number(begun), 99) };
  const shard = (shardIndex: number, diskId: number, more: object = {}) => ({
    owner,
    chunkId,
    shardIndex,
    diskId,
    begunMs: begun,
    ...more,
  });
  const shards = [
    shard(0, 7, { begunMs: relocated }),
    shard(1, 2),
    shard(0, 1),
    shard(0, 1, { begunMs: relocated }),
    shard(1, 9),
    shard(0, 7, { owner: strange }),
    shard(0, 7, { chunkId: idOf(5) }),
    { shardIndex: 0, diskId: 1, chunkId, begunMs: begun },
  ];
  const ask = async () => {
    const answer = await machine.query({ case: "ownedManifests", value: { shards } });
    return answer.verdicts;
  };
  const { OWNED, GARBAGE, PENDING, DISOWNED } = Verdict;
  const before = [OWNED, OWNED, GARBAGE, PENDING, PENDING, PENDING, PENDING, PENDING];
  assert.deepEqual(await ask(), before);
  await machine.execute({ case: "advanceFence", value: { fenceMs: relocated } });
  const after = [OWNED, OWNED, GARBAGE, PENDING, DISOWNED, DISOWNED, DISOWNED, PENDING];
  assert.deepEqual(await ask(), after);
});

test("all manifests are walked in pages, or those with a shard on certain disks", async (t) => {
  const machine = await Machine.open(t);
  for (let at = 0; at < 9; at += 1) {
    const id = manifestId(machine.nowMs, at);
    const name = key(`k${at}`);
    const manifest = manifestOf({ key: name, id, places: [[1, 2, at === 4 ? 0 : 10 + at]] });
    const version = { size: manifest.size, body: { case: "manifestId" as const, value: id } };
    const value = { bucketId: 1, key: name, version, manifest };
    await machine.execute({ case: "putObject", value });
  }
  const walk = async (diskIds: number[]): Promise<string[]> => {
    const seen: string[] = [];
    let cursor: Uint8Array = new Uint8Array(0);
    for (let pages = 0; pages < 20; pages += 1) {
      const value = { cursor, limit: 2, diskIds };
      const page = await machine.query({ case: "scanManifests", value });
      seen.push(...page.entries.map(({ manifest }) => Buffer.from(manifest?.key ?? "").toString()));
      cursor = page.nextCursor;
      if (cursor.byteLength === 0) return seen;
    }
    return assert.fail("it does not end");
  };
  assert.equal((await walk([])).length, 9);
  assert.deepEqual((await walk([13, 15])).sort(), ["k3", "k4", "k5"]);
  const value = { cursor: key("zzz"), limit: 2 };
  await assert.rejects(machine.query({ case: "scanManifests", value }), { code: "invalid" });
  await assert.rejects(machine.query({ case: "listRepairs", value }), { code: "invalid" });
});
