// Wins back the space of dead records: copies what lives in a closed segment elsewhere, makes that
// durable, and only then removes the segment. A crash at any point leaves every shard at least
// once, and copies carry their sequence, so none counts twice. Damaged shards are not copied: their
// segment stays until they are repaired or deleted. Tombstones are carried on while any segment may
// hold what they kill.
import { present } from "../lib/base/assert.ts";
import { mapBounded } from "../lib/base/bounded.ts";
import { StoreError } from "../lib/base/errors.ts";
import type { DiskFile } from "../lib/ports/disk.ts";
import { type IndexEntry, placeOf } from "./index-entry.ts";
import type { Pace } from "./pace.ts";
import {
  encodeFooter,
  encodeRecordHeader,
  encodeTable,
  FOOTER_BYTES,
  SEGMENT_DATA_OFFSET,
  TOMBSTONES_MAX,
  type Tombstone,
  tableEntry,
} from "./record-format.ts";
import { readSegment } from "./recovery.ts";
import type { Extent, Segment } from "./segment.ts";
import { readCell, readTable, type ShardPlace } from "./segment-scan.ts";
import { placeIn, writeTombstones } from "./shard-deleter.ts";
import { withFile } from "./shard-reader.ts";
import { cellCountOf, nameText } from "./shard-types.ts";
import { crcOf } from "./shard-writer.ts";
import type { StoreContext } from "./store-context.ts";

/** "removed": its space is free. "kept": it holds damaged shards, or has no whole header. */
export type CompactionOutcome = "removed" | "kept";

const LIST_PAGE = 1024;
/** Closed segments shorter than this share of a full one are merged once there are several. */
const SMALL_SHARE = 1 / 8;
const SMALL_COUNT = 8;

/**
 * The closed segment whose compaction wins most, if one is more dead than alive (or many are
 * small). `skip` names segments to leave alone.
 */
export function pickSegment(
  context: StoreContext,
  skip: (segment: Segment) => boolean,
): Segment | undefined {
  const { segments, settings, health } = context.parts;
  const open = segments
    .all()
    .filter((segment) => segment.closed && segment.extents.size === 0 && segment.header !== null)
    .filter((segment) => segment.number < segments.lastNumber && !skip(segment));
  const room = health.roomWithReserve;
  const fitting = open.filter((segment) => neededBytes(segment) <= room);
  const dead = fitting.filter((segment) => segment.deadBytes > segment.stats.liveBytes);
  const best = dead.sort((a, b) => b.deadBytes - a.deadBytes)[0];
  if (best !== undefined) return best;
  const small = fitting.filter((segment) => segment.bytes < settings.segmentBytes * SMALL_SHARE);
  return small.length >= SMALL_COUNT ? small[0] : undefined;
}

/** Bytes that compacting a segment writes, at most: nothing when all of it is dead. */
function neededBytes(segment: Segment): number {
  const kept = segment.stats.liveBytes + segment.stats.tombstoneBytes;
  return kept === 0 ? 0 : kept + SEGMENT_DATA_OFFSET;
}

export interface CompactionHelp {
  /** Makes the index durable. */
  readonly checkpoint: () => Promise<void>;
  readonly pace: Pace;
}

/**
 * Compacts a closed segment. Throws "no-space" and "aborted" (nothing lost, try again later), "io".
 */
export async function compactSegment(
  context: StoreContext,
  segment: Segment,
  { checkpoint, pace }: CompactionHelp,
): Promise<CompactionOutcome> {
  const { segments, health, metrics, label } = context.parts;
  // Without its header nobody can tell which tombstones it holds.
  if ((await segments.header(segment)) === null) return "kept";
  const needed = neededBytes(segment);
  if (needed > 0) await health.measure();
  if (needed > health.roomWithReserve) throw new StoreError("no-space", "no room to compact");
  const findings = await readSegment(
    { segments, log: context.parts.log },
    { segment, verify: "never", verifyFrom: 0 },
  );
  await copyAll(context, findings.entries, pace);
  if (segment.stats.liveCount > 0) {
    // Some record's header or footer is damaged, or is damaged altogether: the index knows them
    // all.
    const left = await entriesIn(context, segment);
    await copyAll(context, left, pace);
    const stuck = await entriesIn(context, segment);
    if (stuck.length > 0) {
      metrics.compactions.increment({ disk: label, outcome: "kept" });
      return "kept";
    }
  }
  await carryTombstones(context, segment, findings.tombstones);
  await checkpoint();
  await segments.remove(segment);
  metrics.compactions.increment({ disk: label, outcome: "removed" });
  return "removed";
}

async function copyAll(
  context: StoreContext,
  entries: readonly IndexEntry[],
  pace: Pace,
): Promise<void> {
  const live = entries.filter((entry) => isCurrent(context, entry));
  await mapBounded(live, context.parts.settings.compactionWidth, async (entry) => {
    await pace(placeOf(entry).layout.recordBytes);
    await copyShard(context, entry);
  });
}

function isCurrent(context: StoreContext, entry: IndexEntry): boolean {
  const now = context.parts.index.get(entry.shard.name);
  return now?.segment === entry.segment && now.offset === entry.offset;
}

async function copyShard(context: StoreContext, entry: IndexEntry): Promise<void> {
  const { locks, segments } = context.parts;
  const { layout } = placeOf(entry);
  const extent = await context.reserve(layout.recordBytes);
  try {
    const copied = await copyBody(context, entry, extent);
    if (copied === undefined) return;
    await locks.run(nameText(entry.shard.name), () => commitCopy(context, entry, copied));
  } finally {
    segments.settle(extent);
  }
}

interface Copied {
  readonly extent: Extent;
  readonly headerCrc: number;
  readonly checksums: Uint32Array;
}

/** Copies header and checked cells; undefined when the shard is damaged, which is noted. */
async function copyBody(
  context: StoreContext,
  entry: IndexEntry,
  extent: Extent,
): Promise<Copied | undefined> {
  const place = placeOf(entry);
  const writtenMs = context.parts.clock.wallMs();
  const header = encodeRecordHeader(
    { kind: "shard", shard: entry.shard, writtenMs },
    placeIn(extent),
  );
  await context.writeExtent(extent, [header], extent.offset);
  const checksums = new Uint32Array(cellCountOf(entry.shard));
  const copyCells = async (file: DiskFile): Promise<string | undefined> => {
    const table = await readSide(context, entry, () => readTable(file, place));
    if (table === undefined) return "the table of checksums is damaged";
    for (let cell = 0; cell < checksums.length; cell += 1) {
      const data = await readSide(context, entry, () => readCell(file, place, { cell, table }));
      if (data === undefined) return `cell ${cell} is damaged`;
      checksums[cell] = tableEntry(table, cell);
      const offset = extent.offset + cellOffset(place, cell);
      await context.writeExtent(extent, [data], offset);
    }
    return undefined;
  };
  const problem = await withFile(context, entry, copyCells);
  if (problem === undefined) return { extent, headerCrc: crcOf(header), checksums };
  context.noteBad(entry, problem, "compaction");
  return undefined;
}

/**
 * Keeps failures of reading apart from those of writing, which mean something else for the disk.
 */
async function readSide<T>(
  context: StoreContext,
  entry: IndexEntry,
  read: () => Promise<T | undefined>,
): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    const failure = context.readFailure(error, entry, "compaction");
    if (failure.code !== "io") throw failure;
    return undefined;
  }
}

function cellOffset(place: ShardPlace, cell: number): number {
  return place.layout.headerBytes + cell * place.shard.cellBytes;
}

/** Under the shard's lock: the copy counts only if the original still does. */
async function commitCopy(context: StoreContext, entry: IndexEntry, copied: Copied): Promise<void> {
  if (!isCurrent(context, entry)) return;
  const { extent } = copied;
  const { layout } = placeOf(entry);
  const { tableCrc, sequence, shard } = entry;
  const footer = { headerCrc: copied.headerCrc, tableCrc, sequence };
  const encoded = encodeFooter(footer, placeIn(extent));
  const padding = new Uint8Array(layout.recordBytes - layout.footerOffset - FOOTER_BYTES);
  const pieces = [encodeTable(copied.checksums), encoded, padding];
  await context.writeExtent(extent, pieces, extent.offset + layout.tableOffset);
  await context.commit(extent);
  const { offset, segment } = extent;
  const moved: IndexEntry = { shard, segment: segment.number, offset, tableCrc, sequence };
  context.account(entry, -1);
  context.account(moved, 1);
  context.parts.index.put(moved);
}

/** All shards the index has in `segment`; walks the whole index. */
async function entriesIn(context: StoreContext, segment: Segment): Promise<IndexEntry[]> {
  const found: IndexEntry[] = [];
  let after: IndexEntry["shard"]["name"] | undefined;
  for (;;) {
    const page = await context.parts.index.list(after, LIST_PAGE);
    found.push(...page.filter((entry) => entry.segment === segment.number));
    if (page.length < LIST_PAGE) return found;
    after = present(page.at(-1), "last of a page").shard.name;
  }
}

async function carryTombstones(
  context: StoreContext,
  segment: Segment,
  tombstones: readonly Tombstone[],
): Promise<void> {
  const others = context.parts.segments.all().filter((other) => other !== segment);
  const lowest = others[0]?.number ?? Number.POSITIVE_INFINITY;
  const newest = new Map<string, Tombstone>();
  for (const tombstone of tombstones) {
    const text = nameText(tombstone.name);
    const known = newest.get(text);
    if (known !== undefined && known.sequence >= tombstone.sequence) continue;
    newest.set(text, tombstone);
  }
  const needed = [...newest.values()].filter(({ segmentMax }) => lowest <= segmentMax);
  for (let at = 0; at < needed.length; at += TOMBSTONES_MAX) {
    const page = needed.slice(at, at + TOMBSTONES_MAX);
    await writeTombstones(context, page, context.nextSequence());
  }
}
