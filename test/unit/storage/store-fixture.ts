// A shard store on a simulated disk, and short ways to write, read and describe shards in tests.
import { StoreError, toStoreError } from "../../../services/lib/base/errors.ts";
import { cellChecksum } from "../../../services/lib/erasure/checksum.ts";
import type { Disk } from "../../../services/lib/ports/disk.ts";
import type { KvFactory } from "../../../services/lib/ports/kv.ts";
import { DEFAULT_SETTINGS, type ShardStoreSettings } from "../../../services/storage/settings.ts";
import { ShardStore } from "../../../services/storage/shard-store.ts";
import type { ShardDescription, ShardName } from "../../../services/storage/shard-types.ts";
import { createStorageMetrics } from "../../../services/storage/storage-metrics.ts";
import { SimClock } from "../../sim/clock.ts";
import { type LogLine, recordingLog, silentMetrics } from "../../sim/observers.ts";
import { createSimRandom } from "../../sim/random.ts";
import { createSimKvFactory } from "./sim-kv.ts";

export const FOLDER = "disk0";

/** Small segments, so that rolling and compaction happen within a few shards. */
export const SMALL: ShardStoreSettings = {
  ...DEFAULT_SETTINGS,
  segmentBytes: 32 * 1024,
  spareBytes: 24 * 1024,
  openWritesMax: 16,
  checkpointOperations: 64,
};

export interface World {
  readonly disk: Disk;
  readonly clock?: SimClock;
  readonly kvFactory?: KvFactory;
  readonly lines?: LogLine[];
  readonly seed?: number;
}

export function openStore(
  world: World,
  settings: Partial<ShardStoreSettings> = {},
  folder = FOLDER,
): Promise<ShardStore> {
  return ShardStore.open(
    {
      disk: world.disk,
      clock: world.clock ?? new SimClock(),
      random: createSimRandom(world.seed ?? 7),
      log: recordingLog(world.lines),
      metrics: createStorageMetrics(silentMetrics()),
      kvFactory: world.kvFactory ?? createSimKvFactory(world.disk),
    },
    folder,
    { ...SMALL, ...settings },
  );
}

export interface TestShard extends ShardDescription {
  readonly body: Uint8Array;
}

export interface ShardOptions {
  readonly bytes?: number;
  readonly cellBytes?: number;
  readonly begunMs?: number;
  readonly index?: number;
  readonly fill?: number;
}

/** A shard whose bytes follow from its number. */
export function makeShard(number: number, options: ShardOptions = {}): TestShard {
  const bytes = options.bytes ?? 1500;
  const random = createSimRandom(number + 1 + (options.fill ?? 0) * 7919);
  const chunkId = new Uint8Array(16).fill(number % 251);
  new DataView(chunkId.buffer).setUint32(0, Math.imul(number, 2654435761));
  new DataView(chunkId.buffer).setUint32(12, number);
  return {
    name: { chunkId, shardIndex: options.index ?? number % 6 },
    owner: {
      bucketId: 3,
      key: Buffer.from(`photos/${number}.jpg`),
      manifestId: new Uint8Array(16).fill((number % 250) + 1),
    },
    shardBytes: bytes,
    cellBytes: options.cellBytes ?? 512,
    begunMs: options.begunMs ?? 1_000_000 + number,
    body: random.bytes(bytes),
  };
}

export function cellsOf(shard: TestShard): { data: Uint8Array; checksum: number }[] {
  const cells: { data: Uint8Array; checksum: number }[] = [];
  for (let at = 0; at < shard.shardBytes; at += shard.cellBytes) {
    const data = shard.body.subarray(at, Math.min(at + shard.cellBytes, shard.shardBytes));
    const { chunkId, shardIndex } = shard.name;
    cells.push({ data, checksum: cellChecksum(chunkId, shardIndex, cells.length, data) });
  }
  return cells;
}

/** Writes a whole shard; abandons it when something goes wrong. */
export async function writeShard(store: ShardStore, shard: TestShard): Promise<number> {
  const writer = await store.beginWrite(shard);
  try {
    for (const { data, checksum } of cellsOf(shard)) await writer.write(data, checksum);
  } catch (error) {
    writer.abandon();
    throw error;
  }
  return writer.finish();
}

export async function readShard(store: ShardStore, name: ShardName): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const { data } of store.readCells(name, { firstCell: 0, cellCount: 0 })) {
    pieces.push(data);
  }
  return Buffer.concat(pieces);
}

export function deleteItem(shard: TestShard, begunBeforeMs = 0) {
  return { name: shard.name, manifestId: shard.owner.manifestId, begunBeforeMs };
}

/** The code with which `work` fails. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    if (error instanceof StoreError) return error.code;
    return `not a StoreError: ${toStoreError(error).stack}`;
  }
  return "no error";
}
