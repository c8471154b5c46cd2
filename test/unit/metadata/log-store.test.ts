// The Raft log on a simulated disk: what was acknowledged is there after every crash, what is
// damaged is said to be, and one slow group does not keep everybody's segments.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { isStoreError } from "../../../services/lib/base/errors.ts";
import { createDisk } from "../../../services/lib/host/node-disk.ts";
import { settle } from "../../sim/clock.ts";
import { type CrashMode, SimDisk } from "../../sim/disk.ts";
import { createSimRandom } from "../../sim/random.ts";
import { entries, entry, openLog, plain, readAll } from "./log-rig.ts";

const corrupt = (error: unknown): boolean => isStoreError(error, "corrupt");
const start = { index: 0, term: 0 };
const hardState = { term: 1, vote: 2, commit: 0 };

test("entries, hard state and start come back after a restart", async () => {
  const disk = new SimDisk();
  const log = await openLog(disk);
  await log.append([{ groupId: 1, start: { index: 5, term: 2 } }]);
  const members = { ...entry(8, 3), kind: "members" as const };
  await log.append([{ groupId: 1, entries: [entry(6, 2), entry(7, 3), members], hardState }]);
  await log.append([{ groupId: 9, start, restoring: { index: 77, term: 4 } }]);
  disk.crash("none");
  const again = await openLog(disk);
  assert.deepEqual(again.groups(), [1, 9]);
  assert.deepEqual(again.state(1), {
    hardState,
    snapshotIndex: 5,
    snapshotTerm: 2,
    lastIndex: 8,
    termRuns: [
      { firstIndex: 6, term: 2 },
      { firstIndex: 7, term: 3 },
    ],
    membersIndexes: [8],
    restoring: undefined,
    bytes: 48,
  });
  assert.deepEqual(plain(await readAll(again, 1)), plain([entry(6, 2), entry(7, 3), members]));
  assert.deepEqual(again.state(9)?.restoring, { index: 77, term: 4 });
  assert.equal(again.term(1, 5), 2);
  assert.equal(again.term(1, 7), 3);
  assert.equal(again.term(1, 9), undefined);
});

test("a later entry of the same index replaces what followed it", async () => {
  const disk = new SimDisk();
  const log = await openLog(disk);
  await log.append([{ groupId: 1, start, entries: entries(1, 10) }]);
  await log.append([{ groupId: 1, entries: entries(4, 5, 2) }]);
  disk.crash("none");
  const again = await openLog(disk);
  const expected = [...entries(1, 3), ...entries(4, 5, 2)];
  assert.deepEqual(plain(await readAll(again, 1)), plain(expected));
  assert.equal(again.size(1).bytes, 5 * 16);
});

test("concurrent writes of all groups share one sync", async () => {
  const disk = new SimDisk();
  const log = await openLog(disk);
  let syncs = 0;
  disk.fault = (operation) => {
    if (operation.kind === "datasync") syncs += 1;
    return undefined;
  };
  await Promise.all([1, 2, 3, 4].map((groupId) => log.append([{ groupId, start }])));
  assert.equal(syncs, 1);
  await Promise.all([1, 2, 3].map((groupId) => log.append([{ groupId, entries: [entry(1)] }])));
  assert.equal(syncs, 2);
});

test("a noted commit index is written with the next append and by close", async () => {
  const disk = new SimDisk();
  const log = await openLog(disk);
  await log.append([{ groupId: 1, start, entries: entries(1, 3), hardState }]);
  const before = disk.changeCount;
  log.noteHardState(1, { ...hardState, commit: 2 });
  assert.equal(disk.changeCount, before);
  await log.append([{ groupId: 1, entries: [entry(4)] }]);
  log.noteHardState(1, { ...hardState, commit: 3 });
  await log.close();
  assert.equal((await openLog(disk)).state(1)?.hardState.commit, 3);
});

test("refuses entries that leave a hole, and ranges it does not hold", async () => {
  const log = await openLog(new SimDisk());
  await log.append([{ groupId: 1, start, entries: entries(1, 3) }]);
  assert.throws(() => log.append([{ groupId: 1, entries: [entry(4), entry(6)] }]));
  const range = { groupId: 1, firstIndex: 2, lastIndex: 4, bytesMax: 1000 };
  await assert.rejects(log.entries(range), (error) => isStoreError(error, "not-found"));
  await assert.rejects(log.entries({ ...range, groupId: 2 }), (error) =>
    isStoreError(error, "not-found"),
  );
  await assert.rejects(log.append([{ groupId: 1, entries: [entry(6)] }]));
});

test("refuses a write to a group that has no log, and leaves nothing of it behind", async () => {
  const disk = new SimDisk();
  const log = await openLog(disk);
  await log.append([{ groupId: 1, start }]);
  await assert.rejects(log.append([{ groupId: 2, hardState }]));
  disk.kill();
  assert.deepEqual((await openLog(disk)).groups(), [1]);
});

test("entries stop at the asked number of bytes but never return none", async () => {
  const log = await openLog(new SimDisk());
  await log.append([{ groupId: 1, start, entries: entries(1, 9, 1, 100) }]);
  const range = { groupId: 1, firstIndex: 1, lastIndex: 9 };
  assert.equal((await log.entries({ ...range, bytesMax: 350 })).length, 3);
  assert.equal((await log.entries({ ...range, bytesMax: 1 })).length, 1);
  assert.equal(log.keepPoint(1, 4, 10_000), 5);
  assert.equal(log.keepPoint(1, 100, 250), 7);
});

test("cut entries are gone after a restart and their segments are removed", async () => {
  const disk = new SimDisk();
  const options = { segmentBytes: 1000 };
  const log = await openLog(disk, options);
  await log.append([{ groupId: 1, start }]);
  for (let index = 1; index <= 40; index += 1) {
    await log.append([{ groupId: 1, entries: [entry(index, 1, 100)] }]);
  }
  const before = disk.filePaths("raft").length;
  await log.compact(1, 35);
  await log.append([{ groupId: 1, entries: [entry(41, 1, 100)] }]);
  assert.ok(before >= 5, `only ${before} segments`);
  assert.ok(disk.filePaths("raft").length <= 2, disk.filePaths("raft").join());
  disk.crash("none");
  const again = await openLog(disk, options);
  assert.equal(again.state(1)?.snapshotIndex, 35);
  assert.deepEqual(plain(await readAll(again, 1)), plain(entries(36, 41, 1, 100)));
});

test("a slow group is copied forward instead of keeping every segment", async () => {
  const disk = new SimDisk();
  const options = { segmentBytes: 2000, segmentCountMax: 4 };
  const log = await openLog(disk, options);
  await log.append([{ groupId: 1, start, entries: entries(1, 5, 1, 50), hardState }]);
  await log.append([{ groupId: 2, start }]);
  for (let index = 1; index <= 200; index += 1) {
    await log.append([{ groupId: 2, entries: [entry(index, 1, 100)] }]);
    if (index % 10 === 0) await log.compact(2, index - 3);
  }
  assert.ok(disk.filePaths("raft").length <= 6, disk.filePaths("raft").join());
  disk.crash("none");
  const again = await openLog(disk, options);
  assert.deepEqual(plain(await readAll(again, 1)), plain(entries(1, 5, 1, 50)));
  assert.deepEqual(again.state(1)?.hardState, hardState);
  assert.equal(again.state(2)?.lastIndex, 200);
});

test("a removed group stays removed", async () => {
  const disk = new SimDisk();
  const log = await openLog(disk, { segmentBytes: 500 });
  await log.append([{ groupId: 1, start, entries: entries(1, 20) }]);
  await log.append([{ groupId: 2, start }]);
  await log.remove(1);
  await log.append([{ groupId: 2, entries: entries(1, 20) }]);
  assert.deepEqual(log.groups(), [2]);
  disk.crash("none");
  assert.deepEqual((await openLog(disk)).groups(), [2]);
});

test("after a failed sync everything is refused for good", async () => {
  const disk = new SimDisk();
  const log = await openLog(disk);
  await log.append([{ groupId: 1, start }]);
  disk.fault = (operation) => (operation.kind === "datasync" ? "io" : undefined);
  const io = (error: unknown): boolean => isStoreError(error, "io");
  const queued = [1, 2].map((index) => log.append([{ groupId: 1, entries: [entry(index)] }]));
  for (const one of queued) await assert.rejects(one, io);
  disk.fault = undefined;
  const before = disk.operationCount;
  await assert.rejects(log.append([{ groupId: 1, entries: [entry(1)] }]), io);
  assert.equal(disk.operationCount, before, "it touched the disk again");
  disk.crash("none");
  assert.equal((await openLog(disk)).state(1)?.lastIndex, 0);
});

test("a full disk refuses without harm and goes on when there is room", async () => {
  const disk = new SimDisk();
  const log = await openLog(disk, { segmentBytes: 700 });
  await log.append([{ groupId: 1, start, entries: entries(1, 5) }]);
  for (const room of [30, 90, 150]) {
    const { freeBytes, sizeBytes } = await disk.usage(".");
    disk.capacityBytes = sizeBytes - freeBytes + room;
    const write = { groupId: 1, entries: entries(6, 12, 1, 60) };
    await assert.rejects(log.append([write]), (error) => isStoreError(error, "no-space"));
    assert.equal(log.state(1)?.lastIndex, 5);
  }
  disk.capacityBytes = Number.MAX_SAFE_INTEGER;
  await log.append([{ groupId: 1, entries: entries(6, 12, 2) }]);
  disk.crash("none");
  const again = await openLog(disk);
  assert.deepEqual(plain(await readAll(again, 1)), plain([...entries(1, 5), ...entries(6, 12, 2)]));
});

test("a segment that found no room does not come back after a crash", async () => {
  for (let seed = 1; seed <= 40; seed += 1) {
    const disk = new SimDisk({ random: createSimRandom(seed) });
    const log = await openLog(disk, { segmentBytes: 300 });
    await log.append([{ groupId: 1, start, entries: entries(1, 4, 1, 40) }]);
    disk.fault = (operation) => (operation.kind === "write" ? "no-space" : undefined);
    const write = [{ groupId: 1, entries: [entry(5)] }];
    await assert.rejects(log.append(write), (error) => isStoreError(error, "no-space"));
    await settle();
    disk.fault = undefined;
    disk.crash(seed % 2 === 0 ? "torn" : "random");
    assert.equal((await openLog(disk)).state(1)?.lastIndex, 4, `seed ${seed}`);
  }
});

const MODES: readonly CrashMode[] = ["all", "none", "random", "torn"];

/** Writes, replaces, cuts, rotates; calls `acked` with what must be there from now on. */
async function workload(disk: SimDisk, acked: (last: number, cut: number) => void): Promise<void> {
  const log = await openLog(disk, { segmentBytes: 900, segmentCountMax: 3 });
  await log.append([{ groupId: 1, start, hardState }]);
  await log.append([{ groupId: 2, start, entries: entries(1, 2) }]);
  for (let index = 1; index <= 24; index += 2) {
    await log.append([{ groupId: 1, entries: entries(index, index + 1, 1, 40) }]);
    acked(index + 1, Math.max(0, index - 9));
    if (index % 8 === 1 && index > 8) await log.compact(1, index - 8);
  }
  await log.close();
}

test("after a crash at any operation, in any mode, what was acknowledged is there", async () => {
  const counted = new SimDisk();
  await workload(counted, () => undefined);
  let runs = 0;
  for (let change = 1; change <= counted.changeCount; change += 1) {
    for (const mode of MODES) {
      const where = `change ${change}, mode ${mode}`;
      const disk = new SimDisk({ random: createSimRandom(change) });
      disk.crashAfter(change, mode);
      let last = 0;
      const done = workload(disk, (index) => {
        last = index;
      });
      await assert.rejects(done, (error) => isStoreError(error, "io"), where);
      const log = await openLog(disk, { segmentBytes: 900 });
      const state = log.state(1);
      assert.ok((state?.lastIndex ?? 0) >= last, `${where}: lost ${last}`);
      const found = await readAll(log, 1);
      const from = (state?.snapshotIndex ?? 0) + 1;
      assert.deepEqual(plain(found), plain(entries(from, from + found.length - 1, 1, 40)), where);
      if (state !== undefined) {
        const next = state.lastIndex + 1;
        await log.append([{ groupId: 1, entries: [entry(next, 9)] }]);
        disk.crash("none");
        assert.equal((await openLog(disk)).state(1)?.lastIndex, next, where);
      }
      runs += 1;
    }
  }
  assert.ok(runs > 150, `only ${runs} crash points`);
});

test("any flipped bit in synced segments is noticed, and never read as an entry", async () => {
  const seed = 20260101;
  const random = createSimRandom(seed);
  for (let round = 0; round < 400; round += 1) {
    const disk = new SimDisk();
    const log = await openLog(disk, { segmentBytes: 900 });
    await log.append([{ groupId: 1, start }]);
    for (let index = 1; index <= 20; index += 1) {
      await log.append([{ groupId: 1, entries: [entry(index, 1, 60)] }]);
    }
    await log.close();
    const path = random.pick(disk.filePaths("raft"));
    const offset = random.below(disk.content(path).byteLength);
    disk.flipBit(path, offset, random.below(8));
    const last = path === disk.filePaths("raft").at(-1);
    // The seal at the very end is the one record whose loss takes nothing with it.
    const inSeal = last && offset >= disk.content(path).byteLength - 48;
    const where = `seed ${seed} round ${round}: ${path}@${offset}`;
    if (inSeal) assert.equal((await openLog(disk)).state(1)?.lastIndex, 20, where);
    else await assert.rejects(openLog(disk), corrupt, where);
  }
});

test("rot under a running log is found when the entry is read", async () => {
  const disk = new SimDisk();
  const log = await openLog(disk);
  await log.append([{ groupId: 1, start, entries: entries(1, 3, 1, 100) }]);
  const path = disk.filePaths("raft")[0] ?? "";
  disk.flipBit(path, Buffer.from(disk.content(path)).indexOf("2@1;"), 3);
  const range = { groupId: 1, firstIndex: 1, lastIndex: 3, bytesMax: 1000 };
  await assert.rejects(log.entries(range), corrupt);
  assert.equal((await log.entries({ ...range, lastIndex: 1 })).length, 1);
});

test("a missing, emptied or swapped segment is corrupt", async () => {
  async function written(): Promise<{ disk: SimDisk; paths: string[] }> {
    const disk = new SimDisk();
    const log = await openLog(disk, { segmentBytes: 300, segmentCountMax: 99 });
    await log.append([{ groupId: 1, start }]);
    for (let index = 1; index <= 20; index += 1) {
      await log.append([{ groupId: 1, entries: [entry(index, 1, 60)] }]);
    }
    await log.close();
    return { disk, paths: disk.filePaths("raft") };
  }
  const missing = await written();
  await missing.disk.remove(missing.paths[2] ?? "");
  await assert.rejects(openLog(missing.disk), corrupt);
  const firstGone = await written();
  await firstGone.disk.remove(firstGone.paths[0] ?? "");
  await assert.rejects(openLog(firstGone.disk), corrupt);
  const emptied = await written();
  await (await emptied.disk.open(emptied.paths[1] ?? "", "write")).truncate(0);
  await assert.rejects(openLog(emptied.disk), corrupt);
  const swapped = await written();
  await swapped.disk.rename(swapped.paths[1] ?? "", "raft/x");
  await swapped.disk.rename(swapped.paths[2] ?? "", swapped.paths[1] ?? "");
  await swapped.disk.rename("raft/x", swapped.paths[2] ?? "");
  await assert.rejects(openLog(swapped.disk), corrupt);
});

test("a log of a newer version is refused, not taken for damage", async () => {
  const disk = new SimDisk();
  await (await openLog(disk)).close();
  const path = disk.filePaths("raft")[0] ?? "";
  const { crc32 } = await import("node:zlib");
  const header = Buffer.from(disk.content(path));
  header.writeUInt32LE(2, 4);
  header.writeUInt32LE(crc32(header.subarray(0, 60)), 60);
  await (await disk.open(path, "write")).write([header], 0);
  await assert.rejects(openLog(disk), (error) => isStoreError(error, "invalid"));
});

test("a payload that looks like a later record does not make a tear look like rot", async () => {
  const disk = new SimDisk();
  const log = await openLog(disk, { random: createSimRandom(1) });
  await log.append([{ groupId: 1, start, entries: [entry(1)] }]);
  await log.append([{ groupId: 1, entries: [entry(2)] }]);
  const path = disk.filePaths("raft")[0] ?? "";
  const forged = disk.content(path).subarray(64);
  disk.crash("none");
  const other = new SimDisk();
  const victim = await openLog(other, { random: createSimRandom(2) });
  await victim.append([{ groupId: 1, start }]);
  const end = other.content(path).byteLength;
  const open = await other.open(path, "write");
  await open.write([Buffer.alloc(60), forged], end);
  assert.equal((await openLog(other)).state(1)?.lastIndex, 0);
});

test("what a failed sync left in memory is not taken for durable after a restart", async () => {
  const disk = new SimDisk();
  const log = await openLog(disk);
  await log.append([{ groupId: 1, start, entries: entries(1, 2) }]);
  disk.fault = (operation) => (operation.kind === "datasync" ? "io" : undefined);
  const failed = log.append([{ groupId: 1, entries: entries(3, 4) }]);
  await assert.rejects(failed, (error) => isStoreError(error, "io"));
  disk.fault = undefined;
  disk.kill();
  const seen = (await openLog(disk)).state(1)?.lastIndex ?? 0;
  disk.crash("none");
  assert.equal((await openLog(disk)).state(1)?.lastIndex, seen);
});

test("what was written and not synced before a kill is durable once it was read back", async () => {
  const disk = new SimDisk();
  const log = await openLog(disk);
  await log.append([{ groupId: 1, start }]);
  disk.fault = (operation) => {
    if (operation.kind === "datasync") disk.kill();
    return undefined;
  };
  await assert.rejects(log.append([{ groupId: 1, entries: entries(1, 2) }]));
  disk.fault = undefined;
  assert.equal((await openLog(disk)).state(1)?.lastIndex, 2);
  disk.crash("none");
  assert.equal((await openLog(disk)).state(1)?.lastIndex, 2);
});

test("a log on a real disk is there after every restart", async () => {
  const folder = await mkdtemp(join(tmpdir(), "dolium-log-"));
  try {
    const disk = createDisk(folder);
    for (let life = 0; life < 4; life += 1) {
      const log = await openLog(disk, { segmentBytes: 2000, segmentCountMax: 3 });
      if (life === 0) await log.append([{ groupId: 1, start }]);
      const next = (log.state(1)?.lastIndex ?? 0) + 1;
      assert.equal(next, life * 20 + 1);
      for (let index = next; index < next + 20; index += 1) {
        await log.append([{ groupId: 1, entries: [entry(index, 1, 100)] }]);
      }
      await log.compact(1, next + 10);
      assert.equal((await readAll(log, 1)).length, 9);
      await log.close();
    }
    assert.ok((await disk.list("raft")).length <= 4);
  } finally {
    await rm(folder, { recursive: true });
  }
});
