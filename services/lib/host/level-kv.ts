// LevelDB (npm `level`, that is classic-level) behind the key-value port. A synced write is in the
// write-ahead log and fdatasynced when it resolves. Opening verifies every checksum of the files
// first, because LevelDB opens a rotten store without a word.
import { readdir, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { Level } from "level";
import { assert } from "../base/assert.ts";
import { compareBytes } from "../base/bytes.ts";
import { type ErrorCode, StoreError } from "../base/errors.ts";
import type { Clock } from "../ports/clock.ts";
import type { Disk } from "../ports/disk.ts";
import type {
  Kv,
  KvEntry,
  KvFactory,
  KvIterator,
  KvOperation,
  KvRange,
  KvReader,
  KvSnapshot,
} from "../ports/kv.ts";
import type { KvFigures, KvMeter } from "./kv-meter.ts";
import { verifyFiles } from "./leveldb-verify.ts";
import { createDisk } from "./node-disk.ts";
import { systemCode } from "./system-error.ts";

type Store = Level<Uint8Array, Uint8Array>;
type StoreSnapshot = ReturnType<Store["snapshot"]>;
type StoreIterator = { nextv(size: number): Promise<[Uint8Array, Uint8Array][]> };

const MIB = 1024 * 1024;
/** What one `next` of an iterator reads at most; LevelDB's own 16 KiB are a hundred heads. */
const NEXT_BYTES_MAX = MIB;

/** Sizes in bytes, per store. */
export interface KvFactoryOptions {
  /** Uncompressed blocks kept in memory. Default 32 MiB. */
  readonly cacheBytes?: number;
  /** Log and memory table before a table is written; up to two are held. Default 8 MiB. */
  readonly writeBufferBytes?: number;
  /** Size of a table file. Default 4 MiB. */
  readonly tableBytes?: number;
  /** Default 4 KiB. */
  readonly blockBytes?: number;
  readonly openFilesMax?: number;
  /** Snappy. Default true. */
  readonly compression?: boolean;
  /** Check the files' checksums before each open. Default true; costs one read of the store. */
  readonly verifyOnOpen?: boolean;
  /**
   * Tables larger than this together are not read before the store opens; call `verify` soon after.
   * No limit when left out.
   */
  readonly verifyOnOpenBytesMax?: number;
  /** Told of reads, writes and sizes. */
  readonly meter?: KvMeter;
  /** With `bytesPerSecond`: slows `verify` (not the check on open) down. */
  readonly scrub?: { readonly bytesPerSecond: number; readonly clock: Clock };
  /** Where the folders are; that of the system when left out. */
  readonly disk?: Disk;
}

export function createKvFactory(options: KvFactoryOptions = {}): KvFactory {
  const { disk = createDisk() } = options;
  return {
    async open(path: string): Promise<Kv> {
      const { verifyOnOpen, verifyOnOpenBytesMax: limit } = options;
      const tableBytesMax = limit ?? Number.POSITIVE_INFINITY;
      if (verifyOnOpen !== false) await verifyFiles(path, { disk, tableBytesMax });
      const store = await openStore(path, options);
      try {
        // Also of a folder that was there: who made it may have ended before its name was safe.
        await disk.syncDirectory(path);
        await disk.syncDirectory(dirname(resolve(path)));
      } catch (error) {
        // Left open it would be locked for as long as this process lives.
        await attempt(`close ${path}`, () => store.close());
        throw error;
      }
      return options.meter === undefined
        ? createKv(store)
        : meteredKv(createKv(store), { store, path, meter: options.meter });
    },
    async verify(path: string): Promise<void> {
      await verifyFiles(path, { disk, ...options.scrub });
    },
    destroy: (path) => disk.removeTree(path),
  };
}

async function openStore(path: string, options: KvFactoryOptions): Promise<Store> {
  const store: Store = new Level(path, {
    keyEncoding: "view",
    valueEncoding: "view",
    cacheSize: options.cacheBytes ?? 32 * MIB,
    writeBufferSize: options.writeBufferBytes ?? 8 * MIB,
    maxFileSize: options.tableBytes ?? 4 * MIB,
    blockSize: options.blockBytes ?? 4096,
    maxOpenFiles: options.openFilesMax ?? 1000,
    compression: options.compression ?? true,
  });
  return attempt(`open ${path}`, async () => {
    await store.open();
    return store;
  });
}

function createKv(store: Store): Kv {
  return {
    ...createReader(store, undefined),
    write: (operations, writeOptions) =>
      attempt("write", () =>
        store.batch(operations.map(toBatchOperation), { sync: writeOptions?.sync === true }),
      ),
    snapshot: () => createSnapshot(store),
    compact: () => attempt("compact", () => compactAll(store)),
    close: () => attempt("close", () => store.close()),
  };
}

function meteredKv(
  kv: Kv,
  { store, path, meter }: { readonly store: Store; readonly path: string; readonly meter: KvMeter },
): Kv {
  const forget = meter.opened(() => figuresOf(store, path));
  return {
    ...kv,
    get(key) {
      if (!meter.samples()) return kv.get(key);
      const beganMs = meter.now();
      const value = kv.get(key);
      meter.read(meter.now() - beganMs);
      return value;
    },
    async write(operations, options) {
      const beganMs = meter.now();
      await kv.write(operations, options);
      meter.wrote(meter.now() - beganMs);
    },
    close() {
      forget();
      return kv.close();
    },
  };
}

/** Files that LevelDB removes meanwhile count as nothing. */
async function figuresOf(store: Store, path: string): Promise<KvFigures> {
  const names = await readdir(path);
  const sizes = await Promise.allSettled(
    names.map(async (name) => (await stat(join(path, name))).size),
  );
  const sizeBytes = sizes.reduce(
    (sum, one) => sum + (one.status === "fulfilled" ? one.value : 0),
    0,
  );
  const property: unknown = hasProperties(store)
    ? store.getProperty("leveldb.num-files-at-level0")
    : undefined;
  return { level0Tables: Number(property ?? 0), sizeBytes };
}

/** The types of `level` leave out what browsers lack; on Node it is classic-level. */
function hasProperties(store: object): store is { getProperty(name: string): string } {
  return "getProperty" in store && typeof store.getProperty === "function";
}

function toBatchOperation(operation: KvOperation) {
  return operation.type === "put"
    ? { type: "put" as const, key: operation.key, value: operation.value }
    : { type: "del" as const, key: operation.key };
}

function createSnapshot(store: Store): KvSnapshot {
  const snapshot = attemptSync("snapshot", () => store.snapshot());
  return {
    ...createReader(store, snapshot),
    close: () => attempt("close snapshot", () => snapshot.close()),
  };
}

function createReader(store: Store, snapshot: StoreSnapshot | undefined): KvReader {
  const at = snapshot === undefined ? {} : { snapshot };
  return {
    get: (key) => attemptSync("get", () => store.getSync(key, at)),
    getMany: (keys) => attempt("get many", () => store.getMany([...keys], at)),
    iterate: (range) => attemptSync("iterate", () => createIterator(store, range, at)),
    approximateBytes: (from, to) => attempt("approximate size", () => sizeBetween(store, from, to)),
  };
}

function createIterator(
  store: Store,
  range: KvRange,
  at: { readonly snapshot?: StoreSnapshot },
): KvIterator {
  const { from, to, reverse = false } = range;
  const iterator = store.iterator({
    ...at,
    reverse,
    highWaterMarkBytes: NEXT_BYTES_MAX,
    ...(from === undefined ? {} : { gte: from }),
    // Reversed, the excluded end is let in and dropped again, so that a seek at or past it starts
    // at the last key below; LevelDB's iterator takes a target out of range for the end.
    ...(to === undefined ? {} : reverse ? { lte: to } : { lt: to }),
  });
  const isEmpty = to !== undefined && compareBytes(from ?? new Uint8Array(0), to) >= 0;
  const excluded = reverse ? to : undefined;
  let isPastEnd = isEmpty;
  return {
    seek(key: Uint8Array): void {
      // classic-level stops the process when it seeks out of range in an empty store: never let it.
      isPastEnd = isEmpty || isPast(key, range);
      if (!isPastEnd) attemptSync("seek", () => iterator.seek(clamp(key, range)));
    },
    next: (count) =>
      attempt("next", async () => (isPastEnd ? [] : nextEntries(iterator, count, excluded))),
    close: () => attempt("close iterator", () => iterator.close()),
  };
}

function isPast(key: Uint8Array, { from, to, reverse }: KvRange): boolean {
  if (reverse === true) return from !== undefined && compareBytes(key, from) < 0;
  return to !== undefined && compareBytes(key, to) >= 0;
}

/** Moves a target before the iteration's start onto it. */
function clamp(key: Uint8Array, { from, to, reverse }: KvRange): Uint8Array {
  if (reverse === true) return to !== undefined && compareBytes(key, to) > 0 ? to : key;
  return from !== undefined && compareBytes(key, from) < 0 ? from : key;
}

async function nextEntries(
  iterator: StoreIterator,
  count: number,
  excluded: Uint8Array | undefined,
): Promise<KvEntry[]> {
  assert(Number.isSafeInteger(count) && count > 0, "next: count must be positive");
  const entries: KvEntry[] = await iterator.nextv(count);
  const first = entries[0];
  if (excluded === undefined || first === undefined) return entries;
  if (compareBytes(first[0], excluded) !== 0) return entries;
  entries.shift();
  return entries.length > 0 ? entries : await iterator.nextv(count);
}

async function compactAll(store: Store): Promise<void> {
  // The types of `level` leave out what browsers lack; on Node it is classic-level.
  assert(hasCompactRange(store), "level: compactRange is missing");
  for await (const last of store.keys({ reverse: true, limit: 1 })) {
    await store.compactRange(new Uint8Array(0), last);
  }
}

function hasCompactRange(
  store: object,
): store is { compactRange(start: Uint8Array, end: Uint8Array): Promise<void> } {
  return "compactRange" in store && typeof store.compactRange === "function";
}

async function sizeBetween(store: Store, from: Uint8Array, to: Uint8Array): Promise<number> {
  // The types of `level` leave out what browsers lack; on Node it is classic-level.
  assert(hasApproximateSize(store), "level: approximateSize is missing");
  return compareBytes(from, to) >= 0 ? 0 : store.approximateSize(from, to);
}

function hasApproximateSize(
  store: object,
): store is { approximateSize(start: Uint8Array, end: Uint8Array): Promise<number> } {
  return "approximateSize" in store && typeof store.approximateSize === "function";
}

async function attempt<T>(doing: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw kvError(doing, error);
  }
}

function attemptSync<T>(doing: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw kvError(doing, error);
  }
}

/** LevelDB's own reason stands one cause deeper when a store does not open. */
function kvError(doing: string, error: unknown): unknown {
  if (!(error instanceof Error) || error.name === "AssertionFailure") return error;
  if (error instanceof StoreError) return error;
  const reason = error.cause instanceof Error ? error.cause : error;
  return new StoreError(codeOf(reason), `leveldb ${doing}: ${reason.message}`, { cause: error });
}

function codeOf(reason: Error): ErrorCode {
  const code = systemCode(reason);
  switch (code) {
    case "LEVEL_CORRUPTION":
      return "corrupt";
    case "LEVEL_LOCKED":
    case "LEVEL_DATABASE_NOT_OPEN":
    case "LEVEL_ITERATOR_NOT_OPEN":
    case "LEVEL_SNAPSHOT_NOT_OPEN":
      return "unavailable";
    default:
      break;
  }
  if (reason.message.startsWith("Corruption")) return "corrupt";
  if (/No space left on device|Disk quota exceeded/.test(reason.message)) return "no-space";
  if (/Too many open files/.test(reason.message)) return "exhausted";
  const isSystem = code === undefined || code === "LEVEL_IO_ERROR" || code.startsWith("E");
  return isSystem ? "io" : "internal";
}
