// The scrubber says how far it is, remembers what it has done over restarts, begins a pass when it
// is asked to, and finds an error that was planted anywhere in one pass.
import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeScrub, encodeScrub, NO_SCRUB } from "../../../services/storage/index-entry.ts";
import type { ShardStore } from "../../../services/storage/shard-store.ts";
import { SimClock } from "../../sim/clock.ts";
import { SimDisk } from "../../sim/disk.ts";
import { cellsOf, makeShard, openStore, writeShard } from "./store-fixture.ts";

const NEVER = new AbortController().signal;

/** Runs the clock until the work ends. */
async function ended(clock: SimClock, work: Promise<void>): Promise<void> {
  let isDone = false;
  const watched = work.finally(() => {
    isDone = true;
  });
  await clock.run(3_600_000, () => isDone);
  await watched;
}

async function filled(store: ShardStore, count: number) {
  const shards = Array.from({ length: count }, (_, number) => makeShard(number));
  for (const shard of shards) await writeShard(store, shard);
  return shards;
}

test("passes and the time of the last one outlive the process; half a pass is gone on with", async () => {
  const disk = new SimDisk();
  const clock = new SimClock();
  const store = await openStore({ disk, clock });
  await filled(store, 200);
  assert.deepEqual(store.scrubProgress.completedMs, 0);
  await ended(clock, store.scrubOnce(NEVER));
  const { passes, completedMs } = store.scrubProgress;
  assert.equal(passes, 1);
  assert.ok(completedMs > 0);
  const stop = new AbortController();
  const slow = store.scrubOnce(stop.signal);
  const cut = assert.rejects(slow);
  await clock.run(3_600_000, () => {
    if (store.scrubProgress.share < 0.3) return false;
    stop.abort();
    return true;
  });
  await cut;
  const { share } = store.scrubProgress;
  assert.ok(share >= 0.3 && share < 1, `stopped at ${share}`);
  await store.checkpoint();
  disk.crash("none");
  const again = await openStore({ disk, clock });
  assert.deepEqual(
    { passes: again.scrubProgress.passes, completedMs: again.scrubProgress.completedMs },
    { passes, completedMs },
  );
  assert.ok(again.scrubProgress.share >= 0.3, "it goes on where it stood");
  await ended(clock, again.scrubOnce(NEVER));
  assert.equal(again.scrubProgress.passes, 2);
  assert.ok(again.scrubProgress.completedMs > completedMs);
  await again.close();
});

test("maintenance keeps what a finished pass has done, though nothing was written", async () => {
  const disk = new SimDisk();
  const clock = new SimClock();
  const store = await openStore({ disk, clock });
  await filled(store, 3);
  await store.checkpoint();
  await ended(clock, store.scrubOnce(NEVER));
  await clock.run(60_000, () => false);
  await store.maintain();
  disk.crash("none");
  const again = await openStore({ disk, clock });
  assert.equal(again.scrubProgress.passes, 1);
  await again.close();
});

test("a pass that is asked for begins with the first name, once", async () => {
  const disk = new SimDisk();
  const clock = new SimClock();
  const store = await openStore({ disk, clock }, { scrubBytesPerSecond: 2000 });
  const shards = await filled(store, 60);
  const stop = new AbortController();
  const running = store.scrub(stop.signal);
  const over = assert.rejects(running);
  await clock.run(3_600_000, () => store.scrubProgress.shards >= 30);
  // What was read already goes bad: only a pass from the start finds it before the next one.
  const [first] = shards.toSorted((a, b) => Buffer.compare(a.name.chunkId, b.name.chunkId));
  assert.ok(first !== undefined);
  const { data } = cellsOf(first)[0] as { data: Uint8Array };
  const path = disk.filePaths("disk0/segments").find((file) => {
    return Buffer.from(disk.content(file)).includes(data);
  });
  assert.ok(path !== undefined);
  disk.flipBit(path, Buffer.from(disk.content(path)).indexOf(data) + 5, 1);
  store.askScrub(4);
  store.askScrub(4);
  await clock.run(3_600_000, () => store.scrubProgress.askedDone === 4);
  assert.equal(store.scrubProgress.passes, 1, "one whole pass, not one more");
  assert.deepEqual(
    store.listBad(0, 10).map(({ bad }) => bad.name.chunkId),
    [first.name.chunkId],
  );
  store.askScrub(3);
  assert.equal(store.scrubProgress.askedBegun, 4, "an earlier one was begun before");
  stop.abort();
  await clock.run(1000, () => false);
  await over;
  await store.close();
});

test("between passes all is read; a pass that is asked for ends the pause", async () => {
  const disk = new SimDisk();
  const clock = new SimClock();
  const store = await openStore({ disk, clock }, { scrubPassMsMin: 600_000 });
  await filled(store, 4);
  const stop = new AbortController();
  const over = assert.rejects(store.scrub(stop.signal));
  await clock.run(60_000, () => store.scrubProgress.passes === 1);
  await clock.run(1000, () => false);
  assert.equal(store.scrubProgress.share, 1);
  store.askScrub(1);
  await clock.run(60_000, () => store.scrubProgress.askedDone === 1);
  assert.equal(store.scrubProgress.passes, 2);
  stop.abort();
  await clock.run(1000, () => false);
  await over;
  await store.close();
});

test("the record: golden bytes; none in older stores; a damaged one is refused", () => {
  const record = { passes: 3, completedMs: 1_700_000_000_000, askedBegun: 2, askedDone: 1 };
  const bytes = encodeScrub(record);
  assert.equal(
    Buffer.from(bytes).toString("hex"),
    "03000000000000000068e5cf8b01000002000000000000000100000000000000a6a28fde",
  );
  assert.deepEqual(decodeScrub(bytes), record);
  assert.deepEqual(decodeScrub(undefined), NO_SCRUB);
  const wrong = Buffer.from(bytes);
  wrong[3] = 9;
  assert.throws(() => decodeScrub(wrong), { code: "corrupt" });
});
