// How fast one disk's store takes, gives and loses shards, on the real file system and LevelDB:
// `node benchmarks/micro/storage.ts [folder]` (default: a folder in the system's temporary one).
// Prints shards and MB (10^6 bytes) a second, and the file system's own rate of small synced
// appends beside it.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { mapBounded } from "../../services/lib/base/bounded.ts";
import { cellChecksum } from "../../services/lib/erasure/checksum.ts";
import { createClock } from "../../services/lib/host/clock.ts";
import { createKvFactory } from "../../services/lib/host/level-kv.ts";
import { createDisk } from "../../services/lib/host/node-disk.ts";
import { createRandom } from "../../services/lib/host/random.ts";
import { DEFAULT_SETTINGS } from "../../services/storage/settings.ts";
import { ShardStore } from "../../services/storage/shard-store.ts";
import { createStorageMetrics } from "../../services/storage/storage-metrics.ts";
import { recordingLog, silentMetrics } from "../../test/sim/observers.ts";

const disk = createDisk();
const random = createRandom();

function open(folder: string): Promise<ShardStore> {
  const metrics = createStorageMetrics(silentMetrics());
  const kvFactory = createKvFactory();
  const deps = { disk, clock: createClock(), random, log: recordingLog(), metrics, kvFactory };
  return ShardStore.open(deps, folder, { ...DEFAULT_SETTINGS, reserveFraction: 0.01 });
}

interface Load {
  readonly count: number;
  readonly bytes: number;
  readonly cellBytes: number;
  readonly width: number;
}

interface Written {
  readonly name: { readonly chunkId: Uint8Array; readonly shardIndex: number };
  readonly manifestId: Uint8Array;
}

async function timed(what: string, load: Load, work: () => Promise<void>): Promise<void> {
  const start = performance.now();
  await work();
  const seconds = (performance.now() - start) / 1000;
  const shards = (load.count / seconds).toFixed(0).padStart(8);
  const megabytes = ((load.count * load.bytes) / seconds / 1e6).toFixed(1).padStart(8);
  process.stdout.write(`${what.padEnd(44)} ${shards} shards/s ${megabytes} MB/s\n`);
}

async function writeOne(store: ShardStore, load: Load, body: Uint8Array): Promise<Written> {
  const name = { chunkId: random.bytes(16), shardIndex: random.below(6) };
  const manifestId = random.bytes(16);
  const writer = await store.beginWrite({
    name,
    owner: { bucketId: 1, key: Buffer.from("bench/object"), manifestId },
    shardBytes: load.bytes,
    cellBytes: load.cellBytes,
    begunMs: Date.now(),
  });
  for (let at = 0, cell = 0; at < load.bytes; at += load.cellBytes, cell += 1) {
    const data = body.subarray(at, Math.min(at + load.cellBytes, load.bytes));
    await writer.write(data, cellChecksum(name.chunkId, name.shardIndex, cell, data));
  }
  await writer.finish();
  return { name, manifestId };
}

async function run(store: ShardStore, label: string, load: Load): Promise<void> {
  const body = random.bytes(load.bytes);
  const slots = Array.from({ length: load.count });
  let written: Written[] = [];
  await timed(`${label}: write, ${load.width} at once`, load, async () => {
    written = await mapBounded(slots, load.width, () => writeOne(store, load, body));
  });
  await timed(`${label}: read, ${load.width} at once`, load, async () => {
    await mapBounded(written, load.width, async ({ name }) => {
      let bytes = 0;
      for await (const { data } of store.readCells(name, { firstCell: 0, cellCount: 0 })) {
        bytes += data.byteLength;
      }
      if (bytes !== load.bytes) throw new Error("a short shard");
    });
  });
  await timed(`${label}: delete, 100 a call`, load, async () => {
    for (let at = 0; at < written.length; at += 100) {
      const page = written.slice(at, at + 100);
      await store.deleteShards(page.map((item) => ({ ...item, begunBeforeMs: 0 })));
    }
  });
}

async function syncRate(folder: string): Promise<void> {
  const file = await disk.open(join(folder, "raw"), "create");
  const load = { count: 200, bytes: 4096, cellBytes: 4096, width: 1 };
  const piece = new Uint8Array(4096).fill(1);
  await timed("the file system: append 4 KiB and sync", load, async () => {
    for (let index = 0; index < load.count; index += 1) {
      await file.write([piece], index * piece.byteLength);
      await file.datasync();
    }
  });
  await file.close();
}

const root = process.argv[2] ?? (await mkdtemp(join(tmpdir(), "dolium-bench-")));
try {
  await syncRate(root);
  const folder = join(root, "store");
  const store = await open(folder);
  const small = { count: 10_000, bytes: 4096, cellBytes: 4096 };
  await run(store, "500 of 4 KiB", { ...small, width: 1, count: 500 });
  await run(store, "10,000 of 4 KiB", { ...small, width: 64 });
  await run(store, "200 of 4 MiB", { count: 200, bytes: 4 << 20, cellBytes: 131_072, width: 8 });
  const load = { ...small, width: 64 };
  const body = random.bytes(small.bytes);
  await mapBounded(Array.from({ length: load.count }), 64, () => writeOne(store, load, body));
  await store.close();
  let again = await open(folder);
  await timed("close and open", load, async () => {
    await again.close();
    again = await open(folder);
  });
  await again.close();
  for (const name of await disk.list(folder)) {
    if (name.startsWith("index-")) await disk.removeTree(join(folder, name));
  }
  await timed("open without the index (all records scanned)", load, async () => {
    again = await open(folder);
  });
  await again.close();
} finally {
  await rm(root, { recursive: true, force: true });
}
