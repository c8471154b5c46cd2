// Opens one disk's store: identity, segments, index; then brings the index up to date from the
// segments, or makes a new one when it is lost. Stores of the index are folders `index-N`; the
// highest one that has a checkpoint counts, so a rebuild that was cut short is simply begun again.
import type { Disk } from "../lib/ports/disk.ts";
import type { Kv, KvFactory } from "../lib/ports/kv.ts";
import type { Log } from "../lib/ports/log.ts";
import {
  CHECKPOINT_KEY,
  type Checkpoint,
  decodeCheckpoint,
  decodeScrub,
  decodeStats,
  NO_SCRUB,
  numberInKey,
  SCRUB_KEY,
  SEGMENT_RANGE,
} from "./index-entry.ts";
import { SEGMENT_DATA_OFFSET } from "./record-format.ts";
import {
  applyFindings,
  isIndexLost,
  readSegment,
  type SegmentTask,
  type StatsTable,
  statsOf,
} from "./recovery.ts";
import type { Segment } from "./segment.ts";
import type { SegmentSet } from "./segment-set.ts";
import type { ShardStoreSettings } from "./settings.ts";
import { nameText } from "./shard-types.ts";

export interface IndexFolder {
  readonly disk: Disk;
  readonly kvFactory: KvFactory;
  readonly log: Log;
  /** The disk's folder. */
  readonly folder: string;
}

/** An index that agrees with the segments. */
export interface RecoveredIndex {
  readonly kv: Kv;
  readonly generation: number;
  readonly checkpoint: Checkpoint;
  readonly stats: StatsTable;
  /** Shards found only by reading segments: not known to be acknowledged. */
  readonly unproven: Set<string>;
  /** Segments that were read whole and found good, to be sealed after the next checkpoint. */
  readonly toSeal: readonly Segment[];
  /** Segments that do not end in a seal; `toSeal` and those with torn or damaged records. */
  readonly unsealed: readonly Segment[];
  readonly rebuilt: boolean;
  /** Acknowledged shards may be missing: something was left out, or the index was lost. */
  readonly inDoubt: boolean;
}

/**
 * What is taken as power-safe when a disk is opened: all that recovery finds and syncs, or, after
 * writing failed, only what stands in segments sealed before; the rest is copied.
 */
export type Trust = "recovered" | "sealed";

const INDEX_NAME = /^index-(\d+)$/;
const NO_CHECKPOINT: Checkpoint = {
  position: { segment: 0, offset: 0 },
  sequence: 0,
  badCursor: 0,
  scrubbedTo: new Uint8Array(0),
  scrub: NO_SCRUB,
};

/** A disk holds at least so many full segments, unless they would be tiny. */
const SEGMENTS_MIN = 64;
const SEGMENT_BYTES_MIN = 1024 * 1024;

/** Small disks get small segments, so that the reserve holds a few of them for compaction. */
export async function segmentBytesFor(
  disk: Disk,
  folder: string,
  settings: ShardStoreSettings,
): Promise<number> {
  const { sizeBytes } = await disk.usage(folder);
  const fitting = Math.max(SEGMENT_BYTES_MIN, Math.floor(sizeBytes / SEGMENTS_MIN));
  return Math.min(settings.segmentBytes, fitting);
}

export function indexPath(folder: string, generation: number): string {
  return `${folder}/index-${generation}`;
}

/** The index, after whatever repair it needs. Throws "io", "no-space", "unavailable" (in use). */
export async function recoverIndex(
  place: IndexFolder,
  segments: SegmentSet,
): Promise<RecoveredIndex> {
  const generations = await generationsIn(place);
  const newest = generations.at(-1);
  for (const old of generations.slice(0, -1)) {
    await place.kvFactory.destroy(indexPath(place.folder, old));
  }
  if (newest === undefined) return rebuildIndex(place, segments, 1);
  let kv: Kv | undefined;
  try {
    kv = await place.kvFactory.open(indexPath(place.folder, newest));
    const value = kv.get(CHECKPOINT_KEY);
    if (value !== undefined) {
      return await catchUp(place, segments, {
        kv,
        generation: newest,
        checkpoint: { ...decodeCheckpoint(value), scrub: decodeScrub(kv.get(SCRUB_KEY)) },
      });
    }
  } catch (error) {
    if (!isIndexLost(error)) {
      await kv?.close();
      throw error;
    }
    place.log.error("the index is damaged: it is made anew from the segments", error);
  }
  await kv?.close();
  await place.kvFactory.destroy(indexPath(place.folder, newest));
  return rebuildIndex(place, segments, newest + 1);
}

async function generationsIn(place: IndexFolder): Promise<number[]> {
  const names = await place.disk.list(place.folder);
  return names
    .flatMap((name) => {
      const digits = INDEX_NAME.exec(name)?.[1];
      return digits === undefined ? [] : [Number(digits)];
    })
    .sort((a, b) => a - b);
}

/** Reads what the segments hold beyond the checkpoint. */
async function catchUp(
  place: IndexFolder,
  segments: SegmentSet,
  found: { readonly kv: Kv; readonly generation: number; readonly checkpoint: Checkpoint },
): Promise<RecoveredIndex> {
  const { kv, generation, checkpoint } = found;
  const { position } = checkpoint;
  const stats = await loadStats(kv, segments);
  const recovery = new Recovery(place, segments, { kv, stats });
  for (const segment of segments.all()) {
    if (segment.number < position.segment) {
      if (segment.bytes > SEGMENT_DATA_OFFSET) continue;
      await segments.settleRecovered(segment);
      continue;
    }
    const verifyFrom = segment.number === position.segment ? position.offset : 0;
    await recovery.read(segment, { verifyFrom, verify: "always" });
  }
  return {
    kv,
    generation,
    checkpoint: {
      ...checkpoint,
      sequence: Math.max(checkpoint.sequence, recovery.sequenceMax),
    },
    stats,
    unproven: recovery.unproven,
    toSeal: recovery.toSeal,
    unsealed: recovery.unsealed,
    rebuilt: false,
    inDoubt: recovery.hasLeftOut,
  };
}

/** A new store filled from all segments. */
async function rebuildIndex(
  place: IndexFolder,
  segments: SegmentSet,
  generation: number,
): Promise<RecoveredIndex> {
  const kv = await place.kvFactory.open(indexPath(place.folder, generation));
  try {
    const stats: StatsTable = new Map();
    const recovery = new Recovery(place, segments, { kv, stats });
    // A disk that has no segments never had shards.
    const inDoubt = segments.all().length > 0;
    for (const segment of segments.all()) {
      await recovery.read(segment, { verify: "unsealed", verifyFrom: 0 });
    }
    const checkpoint = { ...NO_CHECKPOINT, sequence: recovery.sequenceMax };
    const { unproven, toSeal, unsealed } = recovery;
    const rebuilt = generation > 1;
    return { kv, generation, checkpoint, stats, unproven, toSeal, unsealed, rebuilt, inDoubt };
  } catch (error) {
    await kv.close();
    throw error;
  }
}

async function loadStats(kv: Kv, segments: SegmentSet): Promise<StatsTable> {
  const table: StatsTable = new Map();
  const iterator = kv.iterate(SEGMENT_RANGE);
  try {
    for (;;) {
      const page = await iterator.next(1024);
      if (page.length === 0) return table;
      for (const [key, value] of page) {
        const segment = segments.get(numberInKey(key));
        if (segment === undefined) continue;
        const { bytes, ...stats } = decodeStats(key, value);
        table.set(segment.number, stats);
        segment.bytes = bytes;
      }
    }
  } finally {
    await iterator.close();
  }
}

type Task = Pick<SegmentTask, "verify" | "verifyFrom">;

/** Reads segments one after another into an index. */
class Recovery {
  readonly #place: IndexFolder;
  readonly #segments: SegmentSet;
  readonly #kv: Kv;
  readonly #stats: StatsTable;
  readonly unproven = new Set<string>();
  readonly toSeal: Segment[] = [];
  readonly unsealed: Segment[] = [];
  sequenceMax = 0;
  hasLeftOut = false;

  constructor(
    place: IndexFolder,
    segments: SegmentSet,
    into: { readonly kv: Kv; readonly stats: StatsTable },
  ) {
    this.#place = place;
    this.#segments = segments;
    this.#kv = into.kv;
    this.#stats = into.stats;
  }

  async read(segment: Segment, task: Task): Promise<void> {
    const segments = this.#segments;
    const { log } = this.#place;
    await segments.settleRecovered(segment);
    if ((await segments.header(segment)) === null && segment.bytes <= SEGMENT_DATA_OFFSET) {
      // Power went while it was made; no record is written before the header is power-safe.
      await segments.discard(segment);
      return;
    }
    const findings = await readSegment({ segments, log }, { segment, ...task });
    const { put } = await applyFindings(this.#kv, findings, this.#stats);
    statsOf(this.#stats, segment.number).tombstoneBytes = findings.tombstoneBytes;
    this.sequenceMax = Math.max(this.sequenceMax, findings.sequenceMax);
    this.hasLeftOut ||= findings.hasDebris || findings.damagedRecords > 0;
    if (findings.sealed) return;
    this.unsealed.push(segment);
    for (const name of put) this.unproven.add(nameText(name));
    const count = findings.damagedRecords;
    if (count === 0) this.toSeal.push(segment);
    else log.warn("torn or damaged records left out", { segment: segment.number, count });
  }
}

/**
 * Makes a new store from the segments while the disk is in use; what changes meanwhile stands in
 * memory. Segments at or above `firstOwn` were written by this process and need no reading of
 * cells.
 */
export async function rebuildWhileServing(
  place: IndexFolder,
  segments: SegmentSet,
  options: { readonly generation: number; readonly firstOwn: number },
): Promise<{ readonly kv: Kv; readonly stats: StatsTable }> {
  const { generation, firstOwn } = options;
  await place.kvFactory.destroy(indexPath(place.folder, generation));
  const kv = await place.kvFactory.open(indexPath(place.folder, generation));
  try {
    const stats: StatsTable = new Map();
    for (const { number } of segments.all()) {
      const segment = segments.get(number);
      if (segment === undefined) continue;
      const verify = number >= firstOwn ? "never" : "unsealed";
      const deps = { segments, log: place.log };
      const findings = await readSegment(deps, { segment, verify, verifyFrom: 0 });
      await applyFindings(kv, findings, stats);
      statsOf(stats, number).tombstoneBytes = findings.tombstoneBytes;
    }
    return { kv, stats };
  } catch (error) {
    await kv.close();
    throw error;
  }
}
