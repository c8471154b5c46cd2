// The simulated disk must lose what was not synced, keep what was, and fail as it is told to:
// everything tested on it depends on that.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isStoreError } from "../../../services/lib/base/errors.ts";
import { SimClock } from "../../sim/clock.ts";
import { SimDisk } from "../../sim/disk.ts";
import { createSimRandom } from "../../sim/random.ts";

const bytes = (text: string): Uint8Array => Buffer.from(text);
const text = (disk: SimDisk, path: string): string => Buffer.from(disk.content(path)).toString();

async function withFile(disk: SimDisk, content: string): Promise<void> {
  await disk.mkdir("d");
  await disk.syncDirectory(".");
  const file = await disk.open("d/f", "create");
  await file.write([bytes(content)], 0);
  await file.datasync();
  await disk.syncDirectory("d");
  await file.close();
}

test("a crash keeps what was synced and drops what was not", async () => {
  const disk = new SimDisk();
  await withFile(disk, "kept");
  const file = await disk.open("d/f", "write");
  await file.write([bytes(" lo"), bytes("st")], 4);
  assert.equal(text(disk, "d/f"), "kept lost");
  disk.crash("none");
  assert.equal(text(disk, "d/f"), "kept");
});

test("a crash in mode all keeps unsynced writes and names", async () => {
  const disk = new SimDisk();
  const file = await disk.open("f", "create");
  await file.write([bytes("here")], 0);
  disk.crash("all");
  assert.equal(text(disk, "f"), "here");
});

test("a synced file without a synced folder has no name after a crash", async () => {
  const disk = new SimDisk();
  const file = await disk.open("f", "create");
  await file.write([bytes("x")], 0);
  await file.datasync();
  disk.crash("none");
  assert.equal(await disk.exists("f"), false);
});

test("a rename survives as a whole or not at all", async () => {
  for (let seed = 1; seed <= 40; seed += 1) {
    const disk = new SimDisk({ random: createSimRandom(seed) });
    await withFile(disk, "v");
    await disk.mkdir("e");
    await disk.syncDirectory(".");
    await disk.rename("d/f", "e/g");
    disk.crash("random");
    assert.notEqual(await disk.exists("d/f"), await disk.exists("e/g"), `seed ${seed}`);
  }
});

test("removed names come back when the folder was not synced", async () => {
  const disk = new SimDisk();
  await withFile(disk, "v");
  await disk.remove("d/f");
  assert.equal(await disk.exists("d/f"), false);
  disk.crash("none");
  assert.equal(text(disk, "d/f"), "v");
});

test("a torn crash tears only the last write, by sectors", async () => {
  const seen = new Set<string>();
  for (let seed = 1; seed <= 30; seed += 1) {
    const disk = new SimDisk({ random: createSimRandom(seed) });
    await withFile(disk, "");
    const file = await disk.open("d/f", "write");
    await file.write([new Uint8Array(1024).fill(97)], 0);
    await file.write([new Uint8Array(1024).fill(98)], 1024);
    disk.crash("torn");
    const content = text(disk, "d/f");
    assert.equal(content.slice(0, 1024), "a".repeat(1024), `seed ${seed}`);
    seen.add(content.slice(1024));
  }
  assert.equal(seen.size, 4);
});

test("after a failed sync the next one succeeds and the bytes are gone", async () => {
  const disk = new SimDisk();
  await withFile(disk, "old");
  const file = await disk.open("d/f", "write");
  await file.write([bytes("new")], 0);
  disk.fault = (operation) => (operation.kind === "datasync" ? "io" : undefined);
  await assert.rejects(file.datasync(), (error) => isStoreError(error, "io"));
  disk.fault = undefined;
  await file.datasync();
  assert.equal(text(disk, "d/f"), "new");
  disk.crash("all");
  assert.equal(text(disk, "d/f"), "old");
});

test("a full disk refuses with no-space and reports its room", async () => {
  const disk = new SimDisk({ capacityBytes: 10 });
  await withFile(disk, "12345678");
  const file = await disk.open("d/f", "write");
  assert.equal((await disk.usage(".")).freeBytes, 2);
  await assert.rejects(file.write([bytes("abcd")], 8), (error) => isStoreError(error, "no-space"));
  await file.write([bytes("ABCD")], 0);
  assert.equal(text(disk, "d/f").slice(0, 8), "ABCD5678");
});

test("crashAfter stops at each change in turn, and files of before are dead", async () => {
  const counted = new SimDisk();
  await withFile(counted, "v");
  assert.equal(counted.changeCount, 6);
  for (let change = 1; change <= counted.changeCount; change += 1) {
    const disk = new SimDisk();
    disk.crashAfter(change, "none");
    await assert.rejects(withFile(disk, "v"), (error) => isStoreError(error, "io"));
    assert.equal(disk.changeCount, change);
    assert.deepEqual(disk.filePaths(), change === 6 ? ["d/f"] : []);
  }
});

test("a killed process loses nothing that was written", async () => {
  const disk = new SimDisk();
  await withFile(disk, "v");
  const file = await disk.open("d/f", "write");
  await file.write([bytes("w")], 0);
  disk.kill();
  await assert.rejects(file.write([bytes("x")], 0), (error) => isStoreError(error, "io"));
  assert.equal(text(disk, "d/f"), "w");
});

test("open, remove, list and rename name what is missing", async () => {
  const disk = new SimDisk();
  const missing = (error: unknown): boolean => isStoreError(error, "not-found");
  await assert.rejects(disk.open("f", "write"), missing);
  await assert.rejects(disk.remove("f"), missing);
  await assert.rejects(disk.list("d"), missing);
  await assert.rejects(disk.rename("f", "g"), missing);
  await withFile(disk, "v");
  await assert.rejects(disk.open("d/f", "create"), (error) => isStoreError(error, "exists"));
});

test("virtual time runs events in order and cuts an operation that a crash overtakes", async () => {
  const clock = new SimClock();
  const disk = new SimDisk({ clock, latencyMs: () => 5, afterCrash: "hang" });
  const opened = disk.open("f", "create");
  clock.after(3, () => disk.crash("all"));
  let settled = false;
  void opened.then(
    () => (settled = true),
    () => (settled = true),
  );
  await clock.run(100);
  assert.equal(settled, false);
  assert.deepEqual(disk.filePaths(), []);
  assert.equal(clock.monotonicMs(), 100);
});
