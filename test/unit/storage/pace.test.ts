// Compaction keeps to its rate, except on a full disk, and ends when the store does.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createPace } from "../../../services/storage/pace.ts";
import type { ShardStore } from "../../../services/storage/shard-store.ts";
import { SimClock } from "../../sim/clock.ts";
import { SimDisk } from "../../sim/disk.ts";
import {
  codeOf,
  deleteItem,
  makeShard,
  openStore,
  readShard,
  writeShard,
} from "./store-fixture.ts";

const RATE = 1000;

test("a pace holds its rate over any pieces, with a second's worth after a rest", async () => {
  const clock = new SimClock();
  const signal = new AbortController().signal;
  const pace = createPace(clock, { bytesPerSecond: RATE, creditMs: 1000, signal });
  let done = 0;
  const moved = (async () => {
    for (; done < 100; done += 1) await pace(100);
  })();
  await clock.run(0);
  assert.ok(done >= 9 && done <= 11, `${done} pieces from the credit`);
  await clock.run(5000);
  assert.ok(done >= 59 && done <= 61, `${done} pieces after five seconds`);
  await clock.run(20_000);
  await moved;
  await clock.run(60_000);
  const startMs = clock.monotonicMs();
  await pace(1000);
  assert.equal(clock.monotonicMs(), startMs, "rested");
});

/** A store with one closed segment that is mostly dead, and shards that live in it. */
async function halfDead(disk: SimDisk, clock: SimClock): Promise<ShardStore> {
  const settings = { compactionBytesPerSecond: RATE, checkpointMs: 1_000_000 };
  const store = await openStore({ disk, clock }, settings);
  const shards = Array.from({ length: 12 }, (_, number) => makeShard(number, { bytes: 2000 }));
  for (const shard of shards) await writeShard(store, shard);
  await store.deleteShards(shards.filter((_, number) => number >= 5).map((one) => deleteItem(one)));
  store.rollSegment();
  await writeShard(store, makeShard(50));
  return store;
}

test("a compaction copies no faster than it may", async () => {
  const clock = new SimClock();
  const store = await halfDead(new SimDisk(), clock);
  let endedMs: number | undefined;
  const compacting = store.compactOnce().then((isDone) => {
    endedMs = clock.monotonicMs();
    return isDone;
  });
  await clock.run(60_000);
  assert.equal(await compacting, true);
  // Five shards of 2000 bytes and their frames, less a second's credit.
  assert.ok(endedMs !== undefined && endedMs >= 9000 && endedMs <= 20_000, `${endedMs} ms`);
  assert.equal((await readShard(store, makeShard(1, { bytes: 2000 }).name)).byteLength, 2000);
  await store.close();
});

test("closing the store does not wait for a slow compaction, which loses nothing", async () => {
  const clock = new SimClock();
  const disk = new SimDisk();
  const store = await halfDead(disk, clock);
  const compacting = codeOf(store.compactOnce());
  await clock.run(2000);
  await store.close();
  assert.equal(await compacting, "aborted");
  const again = await openStore({ disk });
  for (let number = 0; number < 5; number += 1) {
    const shard = makeShard(number, { bytes: 2000 });
    assert.ok(Buffer.from(await readShard(again, shard.name)).equals(shard.body));
  }
  await again.close();
});
