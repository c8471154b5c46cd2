// Readers take long shards in runs of cells: few reads, the same bytes; what cannot be read costs
// no cell besides its own; what is read ahead is bounded for the whole disk.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ShardStore } from "../../../services/storage/shard-store.ts";
import { SimDisk } from "../../sim/disk.ts";
import {
  cellsOf,
  codeOf,
  makeShard,
  openStore,
  type TestShard,
  writeShard,
} from "./store-fixture.ts";

const CELL_BYTES = 20_000;
const CELLS = 100;
/** 52 cells fit 1 MiB: runs of 1, 2, 4, 8, 16, 32 and the 37 that are left. */
const RUNS = [1, 2, 4, 8, 16, 32, 37];

interface Reading {
  readonly cells: Uint8Array[];
  readonly code: string;
}

async function read(store: ShardStore, shard: TestShard, from = 0, count = 0): Promise<Reading> {
  const cells: Uint8Array[] = [];
  const code = await codeOf(
    (async () => {
      const selection = { firstCell: from, cellCount: count };
      for await (const { data } of store.readCells(shard.name, selection)) cells.push(data);
    })(),
  );
  return { cells, code };
}

function assertCells({ cells }: Reading, shard: TestShard, from: number, to: number): void {
  const wanted = shard.body.subarray(from * CELL_BYTES, to * CELL_BYTES);
  assert.ok(Buffer.concat(cells).equals(wanted), `cells ${from} to ${to}`);
}

async function openWithShard(readAheadBytesMax?: number) {
  const disk = new SimDisk();
  const settings = readAheadBytesMax === undefined ? {} : { readAheadBytesMax };
  const store = await openStore({ disk }, settings);
  const shard = makeShard(1, { bytes: CELLS * CELL_BYTES - 7, cellBytes: CELL_BYTES });
  await writeShard(store, shard);
  /** Cells of each read since the last look. */
  const reads: number[] = [];
  disk.fault = ({ kind, bytes }) => {
    if (kind === "read" && bytes >= CELL_BYTES - 7) reads.push(Math.ceil(bytes / CELL_BYTES));
    return undefined;
  };
  return { disk, store, shard, reads };
}

test("reads longer and longer runs, up to a mebibyte, and no cell that nobody wants", async () => {
  const { store, shard, reads } = await openWithShard();
  assertCells(await read(store, shard), shard, 0, CELLS);
  assert.deepEqual(reads, RUNS);
  for (const [from, count] of [
    [0, 1],
    [3, 5],
    [99, 1],
    [40, 60],
    [98, 0],
  ] as const) {
    reads.length = 0;
    const to = count === 0 ? CELLS : from + count;
    assertCells(await read(store, shard, from, count), shard, from, to);
    assert.equal(
      reads.reduce((sum, cells) => sum + cells, 0),
      to - from,
    );
  }
  await store.close();
});

test("a place that cannot be read costs its own cell and those after it, one error in all", async () => {
  const { disk, store, shard } = await openWithShard();
  // Runs fail wherever they lie: all is read cell by cell then.
  disk.fault = ({ kind, bytes }) => (kind === "read" && bytes > CELL_BYTES ? "io" : undefined);
  const whole = await read(store, shard);
  assert.equal(whole.code, "no error");
  assertCells(whole, shard, 0, CELLS);
  assert.equal(store.status.errors, 0);
  assert.equal(await store.stat(shard.name, false), "present");
  let single = 0;
  disk.fault = ({ kind, bytes }) => {
    if (kind !== "read" || bytes < CELL_BYTES) return undefined;
    if (bytes === CELL_BYTES) single += 1;
    return bytes > CELL_BYTES || single === 6 ? "io" : undefined;
  };
  const part = await read(store, shard);
  assert.equal(part.code, "io");
  assertCells(part, shard, 0, 5);
  assert.equal(store.status.errors, 1);
  assert.equal(await store.stat(shard.name, false), "corrupt");
  disk.fault = undefined;
  await store.close();
});

test("a bad cell in the middle of a run ends the answer there, and no other cell is blamed", async () => {
  const { disk, store, shard } = await openWithShard();
  const { data } = cellsOf(shard)[20] as { data: Uint8Array };
  const path = disk.filePaths("disk0/segments").find((file) => {
    return Buffer.from(disk.content(file)).includes(data);
  });
  assert.ok(path !== undefined);
  disk.flipBit(path, Buffer.from(disk.content(path)).indexOf(data) + 999, 2);
  const reading = await read(store, shard);
  assert.equal(reading.code, "corrupt");
  assertCells(reading, shard, 0, 20);
  assert.match(store.listBad(0, 9)[0]?.bad.reason ?? "", /cell 20 is damaged/);
  assertCells(await read(store, shard, 21, 0), shard, 21, CELLS);
  await store.close();
});

test("cells come together as they are read, up to what is asked for; a bad one ends a run", async () => {
  const { disk, store, shard } = await openWithShard();
  const counts = async (runBytes: number): Promise<number[]> => {
    const found: number[] = [];
    const bytes: Uint8Array[] = [];
    const all = store.readCells(shard.name, { firstCell: 0, cellCount: 0, runBytes });
    const code = await codeOf(
      (async () => {
        for await (const { data, checksums, cellBytes } of all) {
          assert.equal(Math.ceil(data.byteLength / cellBytes), checksums.length);
          found.push(checksums.length);
          bytes.push(data);
        }
      })(),
    );
    const whole = Buffer.concat(bytes);
    assert.ok(whole.equals(shard.body.subarray(0, whole.byteLength)));
    assert.equal(code, whole.byteLength === shard.shardBytes ? "no error" : "corrupt");
    return found;
  };
  assert.deepEqual(await counts(1 << 20), RUNS);
  assert.deepEqual(await counts(1 << 30), RUNS);
  assert.deepEqual((await counts(3 * CELL_BYTES)).slice(0, 6), [1, 2, 3, 1, 3, 3]);
  assert.deepEqual(await counts(1), new Array(CELLS).fill(1));
  const { data } = cellsOf(shard)[20] as { data: Uint8Array };
  for (const path of disk.filePaths("disk0/segments")) {
    const at = Buffer.from(disk.content(path)).indexOf(data);
    if (at >= 0) disk.flipBit(path, at + 999, 2);
  }
  assert.deepEqual(await counts(1 << 20), [1, 2, 4, 8, 5]);
  await store.close();
});

test("readers share what may be read ahead, and give it back when they end or leave", async () => {
  const { disk, store, shard, reads } = await openWithShard(40 * CELL_BYTES);
  const fault = disk.fault;
  for (let time = 0; time < 20; time += 1) {
    const cells = store.readCells(shard.name, { firstCell: 0, cellCount: 0 });
    for (let taken = 0; taken <= time; taken += 1) await cells.next();
    await cells.return();
    disk.fault = ({ kind, bytes }) =>
      kind === "read" && bytes > 8 * CELL_BYTES ? "io" : undefined;
    await read(store, shard);
    disk.fault = fault;
  }
  // One that waits after its run of eight cells holds 7 + 15 of the 40 cells.
  const waiting = store.readCells(shard.name, { firstCell: 0, cellCount: 0 });
  for (let taken = 0; taken < 8; taken += 1) await waiting.next();
  reads.length = 0;
  assertCells(await read(store, shard), shard, 0, CELLS);
  assert.deepEqual(reads.slice(0, 5), [1, 2, 4, 8, 1]);
  await waiting.return();
  reads.length = 0;
  assertCells(await read(store, shard), shard, 0, CELLS);
  assert.deepEqual(reads.slice(0, 5), [1, 2, 4, 8, 16]);
  await store.close();
});
