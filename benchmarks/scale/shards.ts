// Very many small shards in one disk's store: start, memory, index, and asking for one.
// `node benchmarks/scale/shards.ts [SHARDS [folder]]`; a folder with a store is measured as it is.
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
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
import { medianMs, printed, residentMib } from "./timing.ts";

const COUNT = Number(process.argv[2] ?? 100_000);
const BYTES = 512;
const WIDTH = 256;
const READS = 1000;
const random = createRandom();

function open(folder: string): Promise<ShardStore> {
  const metrics = createStorageMetrics(silentMetrics());
  const ports = { disk: createDisk(), clock: createClock(), random, kvFactory: createKvFactory() };
  const settings = { ...DEFAULT_SETTINGS, reserveFraction: 0.01 };
  return ShardStore.open({ ...ports, log: recordingLog(), metrics }, folder, settings);
}

/** The name of the shard of that number. */
function nameOf(number: number): { readonly chunkId: Uint8Array; readonly shardIndex: number } {
  const chunkId = Buffer.alloc(16);
  chunkId.writeUInt32BE(Math.imul(number + 1, 0x9e3779b1) >>> 0, 0);
  chunkId.writeUInt32BE(number, 12);
  return { chunkId, shardIndex: number % 6 };
}

async function write(store: ShardStore, number: number): Promise<void> {
  const name = nameOf(number);
  const data = Buffer.alloc(BYTES, number);
  const writer = await store.beginWrite({
    name,
    owner: { bucketId: 1, key: Buffer.from(`bench/${number}`), manifestId: name.chunkId },
    shardBytes: BYTES,
    cellBytes: BYTES,
    begunMs: Date.now(),
  });
  await writer.write(data, cellChecksum(name.chunkId, name.shardIndex, 0, data));
  await writer.finish();
}

async function readSome(store: ShardStore): Promise<void> {
  for (let at = 0; at < READS; at += 1) {
    const name = nameOf(Math.floor(Math.random() * COUNT));
    let bytes = 0;
    for await (const { data } of store.readCells(name, { firstCell: 0, cellCount: 0 })) {
      bytes += data.byteLength;
    }
    if (bytes !== BYTES) throw new Error("a short shard");
  }
}

const given = process.argv[3];
const root = given ?? (await mkdtemp(join(tmpdir(), "dolium-scale-")));
try {
  const folder = join(root, "store");
  let store = await open(folder);
  if (given === undefined) {
    const numbers = Array.from({ length: COUNT }, (_, number) => number);
    const cpuMs = await medianMs(1, async () => {
      await mapBounded(numbers, WIDTH, (number) => write(store, number));
    });
    printed({ shards: COUNT, "write cpu us": (cpuMs * 1000) / COUNT });
  }
  await store.close();
  const wall = performance.now();
  const openMs = await medianMs(1, async () => {
    store = await open(folder);
  });
  const wallMs = performance.now() - wall;
  const readMs = await medianMs(5, () => readSome(store));
  const { stdout } = await promisify(execFile)("du", ["-sk", folder]);
  printed({
    shards: COUNT,
    "open ms": wallMs,
    "of them cpu": openMs,
    "read us": (readMs * 1000) / READS,
    "MiB resident": residentMib(),
    "bytes a shard": (Number.parseInt(stdout, 10) * 1024) / COUNT,
  });
  await store.close();
} finally {
  if (given === undefined) await rm(root, { recursive: true, force: true });
}
