// Power cuts after every changing disk operation of a workload of writes, parallel writes,
// rewrites, deletes, checkpoints, rolls, compaction and restarts, with all, none, a random part, or
// a torn part of the unsynced bytes kept. After each: what was acknowledged is there and right,
// what was deleted stays deleted, everything else is absent or whole, and a second look at it after
// another restart agrees.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isStoreError } from "../../../services/lib/base/errors.ts";
import type { ShardStore } from "../../../services/storage/shard-store.ts";
import { type CrashMode, SimDisk } from "../../sim/disk.ts";
import { createSimRandom } from "../../sim/random.ts";
import {
  deleteItem,
  makeShard,
  openStore,
  readShard,
  type TestShard,
  writeShard,
} from "./store-fixture.ts";

/** What the callers of the store were told about a shard. */
interface Belief {
  readonly shard: TestShard;
  state: "maybe" | "there" | "deleting" | "deleted";
  begunMs: number;
}

class Workload {
  readonly beliefs = new Map<number, Belief>();

  belief(number: number): Belief {
    let belief = this.beliefs.get(number);
    if (belief === undefined) {
      const bytes = [700, 3000, 9000][number % 3] ?? 700;
      belief = {
        shard: makeShard(number, { bytes, cellBytes: 2048 }),
        state: "deleted",
        begunMs: 0,
      };
      this.beliefs.set(number, belief);
    }
    return belief;
  }

  async write(store: ShardStore, number: number, begunMs = 1000): Promise<void> {
    const belief = this.belief(number);
    if (belief.state !== "there") belief.state = "maybe";
    await writeShard(store, { ...belief.shard, begunMs });
    belief.state = "there";
    belief.begunMs = Math.max(belief.begunMs, begunMs);
  }

  async delete(store: ShardStore, numbers: readonly number[]): Promise<void> {
    const beliefs = numbers.map((number) => this.belief(number));
    for (const belief of beliefs) belief.state = "deleting";
    await store.deleteShards(beliefs.map(({ shard }) => deleteItem(shard)));
    for (const belief of beliefs) {
      belief.state = "deleted";
      belief.begunMs = 0;
    }
  }

  /** Ends when the power is cut, or after everything is done. */
  async run(disk: SimDisk): Promise<void> {
    let store = await openStore({ disk });
    for (let number = 0; number < 4; number += 1) await this.write(store, number);
    await Promise.all([4, 5, 6, 7].map((number) => this.write(store, number)));
    await store.checkpoint();
    await this.delete(store, [1, 5]);
    await Promise.all([this.write(store, 8), this.delete(store, [2]), this.write(store, 0, 2000)]);
    await Promise.all([9, 10, 11].map((number) => this.write(store, number)));
    await this.delete(store, [4, 8, 9]);
    store.rollSegment();
    await this.write(store, 5);
    await Promise.all([
      this.write(store, 12),
      store.compactOnce(),
      this.delete(store, [3, 11]),
      this.write(store, 6, 3000),
    ]);
    while (await store.compactOnce()) await this.write(store, 12);
    await store.close();
    store = await openStore({ disk });
    await Promise.all([this.write(store, 13), this.write(store, 3, 5000), this.delete(store, [6])]);
    await store.checkpoint();
    await this.delete(store, [7, 10]);
    await this.write(store, 1);
    while (await store.compactOnce()) await store.checkpoint();
  }

  async check(store: ShardStore, context: string): Promise<void> {
    for (const [number, belief] of this.beliefs) {
      const where = `${context}, shard ${number} (${belief.state})`;
      const state = await store.stat(belief.shard.name, true);
      assert.notEqual(state, "corrupt", where);
      if (belief.state === "there") assert.equal(state, "present", where);
      if (belief.state === "deleted") assert.equal(state, "missing", where);
      if (state === "missing") continue;
      const bytes = Buffer.from(await readShard(store, belief.shard.name));
      assert.ok(bytes.equals(belief.shard.body), where);
    }
    const listed = await store.list(undefined, 1000);
    assert.equal(listed.length, store.status.shardCount, `${context}: count`);
    for (const { shard } of listed) {
      const belief = [...this.beliefs.values()].find((other) => {
        return Buffer.from(other.shard.name.chunkId).equals(shard.name.chunkId);
      });
      assert.ok(belief !== undefined, `${context}: an unknown shard`);
      assert.ok(shard.begunMs >= belief.begunMs, `${context}: begun time went back`);
    }
  }
}

/** Runs until the planned cut; false when the workload ended before it. */
async function runToCrash(disk: SimDisk, workload: Workload): Promise<boolean> {
  let isCut = false;
  disk.onCrash = () => {
    isCut = true;
  };
  try {
    await workload.run(disk);
  } catch (error) {
    if (!isCut || !isStoreError(error)) throw error;
  }
  // Calls that the cut found half-way may still be failing.
  await new Promise((resolve) => setImmediate(resolve));
  disk.onCrash = undefined;
  return isCut;
}

async function dropIndex(disk: SimDisk): Promise<void> {
  for (const path of disk.filePaths("disk0")) {
    if (path.includes("/index-")) await disk.remove(path);
  }
}

async function enumerate(mode: CrashMode, seed: number): Promise<number> {
  let crashes = 0;
  for (let change = 1; ; change += 1) {
    const disk = new SimDisk({ random: createSimRandom(seed + change) });
    disk.crashAfter(change, mode);
    const workload = new Workload();
    if (!(await runToCrash(disk, workload))) return crashes;
    crashes += 1;
    const context = `crash ${mode} after change ${change}, seed ${seed}`;
    const store = await openStore({ disk, seed: 8 });
    await workload.check(store, context);
    await workload.write(store, 20);
    if (change % 3 === 0) await store.close();
    else disk.crash(mode);
    // Every other time the index is lost as well: the segments alone must tell the same.
    if (change % 2 === 0) await dropIndex(disk);
    const again = await openStore({ disk, seed: 9 });
    await workload.check(again, `${context}, again`);
    while (await again.compactOnce()) await again.checkpoint();
    await workload.check(again, `${context}, compacted`);
    await again.close();
  }
}

for (const mode of ["all", "none", "random", "torn"] as const) {
  test(`no cut of the power loses or revives a shard (${mode} of the unsynced kept)`, async () => {
    const crashes = await enumerate(mode, 4711);
    assert.ok(crashes > 150, `only ${crashes} crash points`);
  });
}

test("recovery itself may be cut at every operation", async () => {
  const first = new SimDisk({ random: createSimRandom(5) });
  const plan = new Workload();
  await plan.run(first);
  const total = first.changeCount;
  let points = 0;
  for (let change = 1; change < 400; change += 1) {
    const disk = new SimDisk({ random: createSimRandom(5) });
    const workload = new Workload();
    disk.crashAfter(Math.floor(total * 0.8), "random");
    assert.equal(await runToCrash(disk, workload), true);
    await dropIndex(disk);
    disk.crashAfter(disk.changeCount + change, "torn");
    let isCut = false;
    disk.onCrash = () => {
      isCut = true;
    };
    const opened = await openStore({ disk }).catch((error: unknown) => {
      if (!isCut) throw error;
      return undefined;
    });
    disk.onCrash = undefined;
    if (!isCut) {
      assert.ok(opened !== undefined);
      disk.kill();
      break;
    }
    points += 1;
    const store = await openStore({ disk });
    await workload.check(store, `recovery cut after change ${change}`);
    await store.close();
  }
  assert.ok(points > 10, `${points} points`);
});

test("a shard and its tombstone that leave together are gone from the index too", async () => {
  const disk = new SimDisk();
  const store = await openStore({ disk });
  const shard = makeShard(1);
  await writeShard(store, shard);
  await store.checkpoint();
  await store.deleteShards([deleteItem(shard)]);
  store.rollSegment();
  await writeShard(store, makeShard(2));
  assert.equal(await store.compactOnce(), true);
  disk.crash("none");
  const again = await openStore({ disk });
  assert.equal(disk.filePaths("disk0/segments").includes("disk0/segments/00000001.seg"), false);
  assert.equal(await again.stat(shard.name, true), "missing");
  assert.equal(await again.stat(makeShard(2).name, true), "present");
  await again.close();
});

test("a delete beats a compaction that is copying the shard", async () => {
  const disk = new SimDisk();
  const store = await openStore({ disk });
  const shards = Array.from({ length: 12 }, (_, index) => makeShard(index, { bytes: 4000 }));
  for (const shard of shards.slice(0, 6)) await writeShard(store, shard);
  store.rollSegment();
  for (const shard of shards.slice(6)) await writeShard(store, shard);
  await store.deleteShards(shards.slice(0, 3).map((shard) => deleteItem(shard)));
  let deletion: Promise<number> | undefined;
  disk.fault = ({ kind, path, bytes }) => {
    // In the middle of the copies' cells: both deletes overtake the commits of the copies.
    if (kind === "read" && path.endsWith("00000001.seg") && bytes <= 512) {
      deletion ??= store.deleteShards(shards.slice(3, 5).map((shard) => deleteItem(shard)));
    }
    return undefined;
  };
  await store.compactOnce();
  assert.equal(await deletion, 2);
  for (const shard of shards.slice(0, 5)) {
    assert.equal(await store.stat(shard.name, true), "missing");
  }
  await dropIndex(disk);
  disk.crash("none");
  const again = await openStore({ disk });
  for (const shard of shards.slice(0, 5)) {
    assert.equal(await again.stat(shard.name, true), "missing");
  }
  assert.equal(again.status.shardCount, 7);
  await again.close();
});
