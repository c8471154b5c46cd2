// Checks a LevelDB store's files without opening it, because LevelDB itself notices no rot:
// CURRENT, the manifest, every live table and every live write-ahead log, each byte under a
// checksum or a rule.
//
// Slack that cannot be told from a crash: the last record of the newest log (a torn tail), and text
// in LOG and LOCK, obsolete files and temporary ones, which LevelDB does not read. The store may be
// open in this or another process: files that a compaction removes meanwhile are looked up again.
import { StoreError } from "../base/errors.ts";
import type { Clock } from "../ports/clock.ts";
import type { Disk, DiskFile } from "../ports/disk.ts";
import { type Crc32c, createCrc32c } from "./crc32c.ts";
import { type LogContent, readLog } from "./leveldb-log.ts";
import { batchHeader, type LiveFiles, replayManifest } from "./leveldb-manifest.ts";
import { verifyTable } from "./leveldb-table.ts";
import { createDisk } from "./node-disk.ts";

const YIELD_BYTES = 1024 * 1024;
/** A log is read whole: far above any write buffer and batch. */
const LOG_BYTES_MAX = 2 ** 31 - 1;

export interface VerifyOptions {
  readonly disk?: Disk;
  /** Reads at most this fast, on average; needs `clock`. Full speed when left out. */
  readonly bytesPerSecond?: number;
  readonly clock?: Clock;
  readonly signal?: AbortSignal;
  /**
   * Tables are left unread when all of them together are larger; manifests and logs, where LevelDB
   * drops what is damaged without a word, are always read. No limit when left out.
   */
  readonly tableBytesMax?: number;
}

export interface VerifyReport {
  readonly files: number;
  readonly bytes: number;
  /** In tables that were left unread. */
  readonly unreadBytes: number;
}

interface Context {
  readonly path: string;
  readonly disk: Disk;
  readonly crc32c: Crc32c;
  readonly pace: (bytes: number) => Promise<void>;
  files: number;
  bytes: number;
}

/**
 * Throws StoreError "corrupt" naming the file, "io" when the disk fails, "aborted" on `signal`. A
 * store that does not exist yet passes with zero files.
 */
export async function verifyFiles(
  path: string,
  options: VerifyOptions = {},
): Promise<VerifyReport> {
  const disk = options.disk ?? createDisk();
  const crc32c = await createCrc32c();
  const context: Context = {
    path,
    disk,
    crc32c,
    pace: createPace(options),
    files: 0,
    bytes: 0,
  };
  if (!(await disk.exists(path))) return { files: 0, bytes: 0, unreadBytes: 0 };
  const live = await readLive(context);
  if (live === undefined) return { files: context.files, bytes: context.bytes, unreadBytes: 0 };
  const tableBytes = [...live.tables.values()].reduce((sum, size) => sum + size, 0);
  const isRead = tableBytes <= (options.tableBytesMax ?? Number.POSITIVE_INFINITY);
  if (isRead) for (const [number, size] of live.tables) await checkTable(context, number, size);
  await checkLogs(context, live);
  const { files, bytes } = context;
  return { files, bytes, unreadBytes: isRead ? 0 : tableBytes };
}

/** Waits so that bytes do not exceed the rate, and lets others run after every mebibyte. */
function createPace(options: VerifyOptions): (bytes: number) => Promise<void> {
  const { bytesPerSecond, clock, signal } = options;
  if (bytesPerSecond !== undefined && (clock === undefined || !(bytesPerSecond > 0))) {
    throw new StoreError("invalid", "verify: bytesPerSecond must be positive and needs a clock");
  }
  const startMs = clock?.monotonicMs() ?? 0;
  let total = 0;
  let sinceYield = 0;
  return async (bytes) => {
    if (signal?.aborted === true) {
      throw new StoreError("aborted", "verify: gave up", { cause: signal.reason });
    }
    total += bytes;
    sinceYield += bytes;
    if (sinceYield < YIELD_BYTES && bytesPerSecond === undefined) return;
    sinceYield = 0;
    if (bytesPerSecond !== undefined && clock !== undefined) {
      const aheadMs = (total / bytesPerSecond) * 1000 - (clock.monotonicMs() - startMs);
      if (aheadMs >= 1) await clock.sleep(aheadMs, signal);
    }
    await new Promise((resolve) => setImmediate(resolve));
  };
}

/** What CURRENT and the manifest say now; undefined for a store not created yet. */
async function readLive(context: Context): Promise<LiveFiles | undefined> {
  const names = await context.disk.list(context.path);
  if (!names.includes("CURRENT")) {
    // LevelDB would start an empty store here and delete the files of the old one. A creation that
    // was cut short leaves only its first manifest.
    const left = names.find((name) => isData(name) && name !== "MANIFEST-000001");
    if (left !== undefined) throw corrupt("CURRENT", `missing, though ${left} exists`);
    return undefined;
  }
  const text = Buffer.from(await readWhole(context, "CURRENT")).toString("latin1");
  const match = /^(MANIFEST-[0-9]{6,})\n$/.exec(text);
  const manifest = match?.[1];
  if (manifest === undefined) throw corrupt("CURRENT", "does not name a manifest");
  if (!names.includes(manifest)) throw corrupt("CURRENT", `names ${manifest}, which is missing`);
  const bytes = await readWhole(context, manifest);
  const content = await readLog({ bytes, crc32c: context.crc32c, pace: context.pace });
  const wrong = content.damage ?? (content.tail?.incomplete === false ? content.tail : undefined);
  if (wrong !== undefined) throw corrupt(manifest, `${wrong.reason} at ${wrong.offset}`);
  return named(manifest, () => replayManifest(content.records));
}

function isData(name: string): boolean {
  return /^([0-9]+\.(ldb|sst|log)|MANIFEST-[0-9]+)$/.test(name);
}

async function checkTable(context: Context, number: number, size: number): Promise<void> {
  const digits = fileDigits(number);
  for (const name of [`${digits}.ldb`, `${digits}.sst`]) {
    const file = await openExisting(context, name);
    if (file === undefined) continue;
    try {
      const actual = await file.size();
      if (actual !== size) throw corrupt(name, `is ${actual} bytes long, not ${size}`);
      await verifyTable({ file, size, crc32c: context.crc32c, pace: context.pace });
    } catch (error) {
      throw withName(name, error);
    } finally {
      await file.close();
    }
    context.files += 1;
    context.bytes += size;
    return;
  }
  const live = await readLive(context);
  if (live === undefined || live.tables.has(number)) throw corrupt(`${digits}.ldb`, "missing");
}

/** Every record of every live log, and that their sequence numbers run on without a hole. */
async function checkLogs(context: Context, first: LiveFiles): Promise<void> {
  let expected: number | undefined;
  let open: { name: string; reason: string } | undefined;
  for (const number of await listLogs(context, first)) {
    const name = `${fileDigits(number)}.log`;
    const content = await readLiveLog(context, name, number);
    if (content === undefined) {
      expected = undefined;
      continue;
    }
    if (content.damage !== undefined) {
      throw corrupt(name, `${content.damage.reason} at ${content.damage.offset}`);
    }
    if (open !== undefined && content.records.length > 0) throw corrupt(open.name, open.reason);
    expected = checkSequence(name, content.records, expected);
    if (content.tail !== undefined) {
      open = { name, reason: `${content.tail.reason} at ${content.tail.offset}` };
    }
  }
}

/**
 * Live logs in order. A running store may start a new log between reading the manifest and the
 * folder: the named log is missing only when the manifest still names it afterwards.
 */
async function listLogs(context: Context, first: LiveFiles): Promise<number[]> {
  let live = first;
  for (;;) {
    const present = logNumbers(await context.disk.list(context.path));
    if (live.logNumber === 0 || present.includes(live.logNumber)) {
      const { logNumber, previousLogNumber } = live;
      return present.filter((number) => number >= logNumber || number === previousLogNumber);
    }
    const now = await readLive(context);
    if (now === undefined || now.logNumber === live.logNumber) {
      throw corrupt(`${fileDigits(live.logNumber)}.log`, "missing");
    }
    live = now;
  }
}

/** Numbers of the log files among `names`, ascending. */
function logNumbers(names: readonly string[]): number[] {
  const numbers = names.flatMap((name) => {
    const digits = /^([0-9]+)\.log$/.exec(name)?.[1];
    return digits === undefined ? [] : [Number(digits)];
  });
  return numbers.sort((a, b) => a - b);
}

/** Undefined when a running store has removed the log meanwhile. */
async function readLiveLog(
  context: Context,
  name: string,
  number: number,
): Promise<LogContent | undefined> {
  try {
    const bytes = await readWhole(context, name);
    return await readLog({ bytes, crc32c: context.crc32c, pace: context.pace });
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== "not-found") throw error;
    const live = await readLive(context);
    if (live === undefined || number >= live.logNumber) throw corrupt(name, "missing");
    return undefined;
  }
}

function checkSequence(
  name: string,
  records: readonly Uint8Array[],
  start: number | undefined,
): number | undefined {
  let expected = start;
  for (const record of records) {
    const { sequence, count } = named(name, () => batchHeader(record));
    if (expected !== undefined && sequence !== expected) {
      throw corrupt(name, `sequence ${sequence} follows where ${expected} belongs`);
    }
    expected = sequence + count;
  }
  return expected;
}

async function openExisting(context: Context, name: string): Promise<DiskFile | undefined> {
  try {
    return await context.disk.open(`${context.path}/${name}`, "read");
  } catch (error) {
    if (error instanceof StoreError && error.code === "not-found") return undefined;
    throw error;
  }
}

async function readWhole(context: Context, name: string): Promise<Uint8Array> {
  const file = await context.disk.open(`${context.path}/${name}`, "read");
  try {
    const size = await file.size();
    if (size > LOG_BYTES_MAX) throw corrupt(name, `is ${size} bytes long`);
    const bytes = new Uint8Array(size);
    const count = await file.read(bytes, 0);
    context.files += 1;
    context.bytes += count;
    return bytes.subarray(0, count);
  } finally {
    await file.close();
  }
}

function fileDigits(number: number): string {
  return String(number).padStart(6, "0");
}

function named<T>(name: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw withName(name, error);
  }
}

/** Corruption found inside a file gets the file's name, once. */
function withName(name: string, error: unknown): unknown {
  if (!(error instanceof StoreError) || error.code !== "corrupt") return error;
  return error.message.startsWith(`${name}: `) ? error : corrupt(name, error.message);
}

function corrupt(name: string, reason: string): StoreError {
  return new StoreError("corrupt", `${name}: ${reason}`);
}
