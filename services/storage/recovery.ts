// Brings an index up to date from the segments: their tails after a crash, or all of them when the
// index is lost. A record counts when header and footer are whole and, where its segment is not
// sealed, every cell is: before the acknowledgement a crash may have kept the footer and lost
// cells. The highest sequence wins; a tombstone kills what has a lower one. Running it twice
// changes nothing.
import { present } from "../lib/base/assert.ts";
import { isStoreError } from "../lib/base/errors.ts";
import type { DiskFile } from "../lib/ports/disk.ts";
import type { Kv, KvOperation } from "../lib/ports/kv.ts";
import type { Log } from "../lib/ports/log.ts";
import {
  decodeEntry,
  encodeEntry,
  type IndexEntry,
  recordBytesOf,
  shardKey,
} from "./index-entry.ts";
import { SEGMENT_DATA_OFFSET, type Tombstone } from "./record-format.ts";
import type { Segment, SegmentStats } from "./segment.ts";
import {
  readTombstones,
  type ScannedRecord,
  type ShardPlace,
  scanSegment,
  verifyShard,
} from "./segment-scan.ts";
import type { SegmentSet } from "./segment-set.ts";
import { nameText, type ShardName } from "./shard-types.ts";

export interface RecoveryDeps {
  readonly segments: SegmentSet;
  readonly log: Log;
}

export interface SegmentTask {
  readonly segment: Segment;
  /** "unsealed": cells are read unless the segment ends in a seal. */
  readonly verify: "always" | "unsealed" | "never";
  /** Records before this offset are known to be settled. */
  readonly verifyFrom: number;
}

/** What scanning a segment found. */
export interface SegmentFindings {
  readonly entries: readonly IndexEntry[];
  readonly tombstones: readonly Tombstone[];
  readonly tombstoneBytes: number;
  readonly sequenceMax: number;
  readonly sealed: boolean;
  /** Records with a whole footer whose bytes are wrong. */
  readonly damagedRecords: number;
  /** Behind `verifyFrom` lie bytes of no whole record: torn writes, or records that rotted. */
  readonly hasDebris: boolean;
}

const BATCH_OPERATIONS = 4096;

/** Reads a segment's committed records. A segment without a header yields nothing. Throws "io". */
export async function readSegment(deps: RecoveryDeps, task: SegmentTask): Promise<SegmentFindings> {
  const { segments } = deps;
  const { segment } = task;
  const file = await segments.enter(segment);
  try {
    const header = await segments.header(segment);
    const records: ScannedRecord[] = [];
    let hasDebris = header === null;
    const onDebris = (offset: number): void => {
      hasDebris ||= offset >= task.verifyFrom;
    };
    if (header !== null) {
      const { nonce } = header;
      const range = { nonce, from: SEGMENT_DATA_OFFSET, to: segment.bytes, onDebris };
      for await (const record of scanSegment(file, range)) records.push(record);
    } else {
      deps.log.warn("a segment has no whole header: left alone", { segment: segment.number });
    }
    const sealed = records.some(({ decoded, footer }) => {
      return decoded.header.kind === "seal" && footer !== undefined;
    });
    const verify = task.verify === "always" || (task.verify === "unsealed" && !sealed);
    const verifyFrom = verify ? task.verifyFrom : Number.POSITIVE_INFINITY;
    const work = { file, segment, records, verifyFrom, sealed };
    return { ...(await judgeRecords(work)), hasDebris };
  } finally {
    segments.leave(segment);
  }
}

async function judgeRecords(work: {
  readonly file: DiskFile;
  readonly segment: Segment;
  readonly records: readonly ScannedRecord[];
  readonly verifyFrom: number;
  readonly sealed: boolean;
}): Promise<Omit<SegmentFindings, "hasDebris">> {
  const entries: IndexEntry[] = [];
  const tombstones: Tombstone[] = [];
  let tombstoneBytes = 0;
  let sequenceMax = 0;
  let damagedRecords = 0;
  for (const record of work.records) {
    const { footer, layout, offset } = record;
    const { header } = record.decoded;
    if (footer === undefined) continue;
    sequenceMax = Math.max(sequenceMax, footer.sequence);
    if (header.kind === "shard") {
      const { shard } = header;
      const { tableCrc, sequence } = footer;
      const place = { shard, offset, layout, tableCrc };
      if (offset >= work.verifyFrom && !(await isWhole(work.file, place))) damagedRecords += 1;
      else entries.push({ shard, segment: work.segment.number, offset, tableCrc, sequence });
    } else if (header.kind === "tombstones") {
      const found = await tolerant(() => readTombstones(work.file, record));
      if (found === undefined) damagedRecords += 1;
      else {
        tombstones.push(...found);
        tombstoneBytes += layout.recordBytes;
      }
    }
  }
  return { entries, tombstones, tombstoneBytes, sequenceMax, sealed: work.sealed, damagedRecords };
}

function isWhole(file: DiskFile, place: ShardPlace): Promise<boolean> {
  const verify = async (): Promise<boolean> => (await verifyShard(file, place)) === undefined;
  return tolerant(verify).then((whole) => whole === true);
}

/** An unreadable sector costs the record it lies in, not the disk. */
async function tolerant<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!isStoreError(error, "io")) throw error;
    return undefined;
  }
}

export type StatsTable = Map<number, SegmentStats>;

/** The stats of a segment in `table`, made when missing. */
export function statsOf(table: StatsTable, segment: number): SegmentStats {
  let stats = table.get(segment);
  if (stats === undefined) {
    stats = { liveBytes: 0, liveCount: 0, tombstoneBytes: 0 };
    table.set(segment, stats);
  }
  return stats;
}

/** Adds (`sign` 1) or takes away (-1) a live record. */
export function account(table: StatsTable, entry: IndexEntry, sign: 1 | -1): void {
  const stats = statsOf(table, entry.segment);
  stats.liveBytes += sign * recordBytesOf(entry);
  stats.liveCount += sign;
}

/** What recovery changed. */
export interface Applied {
  readonly put: readonly ShardName[];
}

/**
 * Writes a segment's findings into a store, in synced batches (LevelDB does not carry unsynced ones
 * over from one log file to the next), and keeps `stats` exact. Segments come in order of their
 * numbers.
 */
export async function applyFindings(
  kv: Kv,
  findings: SegmentFindings,
  stats: StatsTable,
): Promise<Applied> {
  const put: ShardName[] = [];
  const pending = new Map<string, Resolution>();
  const resolve = async (names: readonly ShardName[]): Promise<void> => {
    const missing = names.filter((name) => !pending.has(nameText(name)));
    const keys = missing.map(shardKey);
    const values = await kv.getMany(keys);
    missing.forEach((name, index) => {
      const value = values[index];
      const key = present(keys[index], "key");
      const stored = value === undefined ? undefined : decodeEntry(key, value);
      pending.set(nameText(name), { name, stored, now: stored });
    });
  };
  const flush = async (): Promise<void> => {
    await writeResolutions(kv, [...pending.values()], stats);
    for (const { name, now, stored } of pending.values()) {
      if (now !== undefined && now !== stored) put.push(name);
    }
    pending.clear();
  };
  for (const page of pagesOf(findings.entries)) {
    await resolve(page.map((entry) => entry.shard.name));
    for (const entry of page) {
      const known = present(pending.get(nameText(entry.shard.name)), "resolution");
      if (known.now === undefined || replaces(entry, known.now)) known.now = entry;
    }
    await flush();
  }
  for (const page of pagesOf(findings.tombstones)) {
    await resolve(page.map((tombstone) => tombstone.name));
    for (const { name, sequence } of page) {
      const known = present(pending.get(nameText(name)), "resolution");
      if (known.now !== undefined && known.now.sequence < sequence) known.now = undefined;
    }
    await flush();
  }
  return { put };
}

interface Resolution {
  readonly name: ShardName;
  readonly stored: IndexEntry | undefined;
  now: IndexEntry | undefined;
}

/** A copy with the same sequence was made by compaction: the later place is the one that stays. */
function replaces(entry: IndexEntry, known: IndexEntry): boolean {
  if (entry.sequence !== known.sequence) return entry.sequence > known.sequence;
  return entry.segment > known.segment;
}

async function writeResolutions(
  kv: Kv,
  resolutions: readonly Resolution[],
  stats: StatsTable,
): Promise<void> {
  const operations: KvOperation[] = [];
  for (const { name, stored, now } of resolutions) {
    if (stored === now) continue;
    const key = shardKey(name);
    if (stored !== undefined) account(stats, stored, -1);
    if (now !== undefined) account(stats, now, 1);
    if (now === undefined) operations.push({ type: "delete", key });
    else operations.push({ type: "put", key, value: encodeEntry(key, now) });
  }
  if (operations.length > 0) await kv.write(operations, { sync: true });
}

function* pagesOf<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < items.length; at += BATCH_OPERATIONS) {
    yield items.slice(at, at + BATCH_OPERATIONS);
  }
}

/** True for the errors that say "this index is lost, make a new one". */
export function isIndexLost(error: unknown): boolean {
  return isStoreError(error, "corrupt") || error instanceof RangeError;
}
