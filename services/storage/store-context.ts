// What the parts of one disk's store share: segments, index, locks, health, the order of commits.
import { isStoreError, StoreError } from "../lib/base/errors.ts";
import type { Clock } from "../lib/ports/clock.ts";
import type { Disk, DiskFile } from "../lib/ports/disk.ts";
import type { Log } from "../lib/ports/log.ts";
import type { DiskHealth } from "./disk-health.ts";
import { type IndexEntry, recordBytesOf } from "./index-entry.ts";
import type { KeyedMutex } from "./keyed-mutex.ts";
import { ReadAhead } from "./read-ahead.ts";
import type { Extent, Segment } from "./segment.ts";
import type { SegmentSet } from "./segment-set.ts";
import type { ShardStoreSettings } from "./settings.ts";
import type { ShardIndex } from "./shard-index.ts";
import { printName, type ShardName } from "./shard-types.ts";
import type { StorageMetrics } from "./storage-metrics.ts";

export interface StoreContextParts {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: StorageMetrics;
  readonly settings: ShardStoreSettings;
  readonly segments: SegmentSet;
  readonly index: ShardIndex;
  readonly health: DiskHealth;
  readonly locks: KeyedMutex;
  /** Value of the metrics' label `disk`. */
  readonly label: string;
}

/** Written bytes of a segment after which a sync begins before anybody waits for one. */
const EARLY_SYNC_BYTES = 16 * 1024 * 1024;

/** Who found a shard damaged. */
export type Finder = (typeof FINDERS)[number];
export const FINDERS = ["reader", "scrubber", "verifier", "compaction"] as const;

export class StoreContext {
  readonly parts: StoreContextParts;
  /** Highest sequence given to a commit. */
  sequence: number;
  /**
   * Recovered shards that this process did not see acknowledged: a rewrite must not rely on them.
   */
  readonly unproven: Set<string>;
  readonly readAhead: ReadAhead;

  constructor(parts: StoreContextParts, start: { sequence: number; unproven: Set<string> }) {
    this.parts = parts;
    this.sequence = start.sequence;
    this.unproven = start.unproven;
    this.readAhead = new ReadAhead(parts.settings.readAheadBytesMax);
  }

  nextSequence(): number {
    this.sequence += 1;
    return this.sequence;
  }

  /** The segment an entry points to. Without it the index is wrong and gets rebuilt. */
  segmentOf(entry: IndexEntry): Segment {
    const segment = this.parts.segments.get(entry.segment);
    if (segment !== undefined) return segment;
    this.parts.index.markDamaged();
    throw new StoreError("unavailable", `index names segment ${entry.segment}, which is not there`);
  }

  /** A live record more or less in its segment. */
  account(entry: IndexEntry, sign: 1 | -1): void {
    const stats = this.parts.segments.get(entry.segment)?.stats;
    if (stats === undefined) return;
    stats.liveBytes += sign * recordBytesOf(entry);
    stats.liveCount += sign;
  }

  /** Writes into a reserved extent; a failure may turn the disk read-only or failed. */
  async writeExtent(extent: Extent, pieces: readonly Uint8Array[], offset: number): Promise<void> {
    this.parts.health.requireAlive();
    const file = fileOf(extent.segment);
    try {
      await file.write(pieces, offset);
    } catch (error) {
      throw this.parts.health.noteWriteError(error);
    }
    this.#syncEarly(extent.segment, pieces);
  }

  /** Asks for a sync now and then, so that those at the end of shards are short. */
  #syncEarly(segment: Segment, pieces: readonly Uint8Array[]): void {
    for (const piece of pieces) segment.unsyncedBytes += piece.byteLength;
    if (segment.unsyncedBytes < EARLY_SYNC_BYTES || segment.commit === undefined) return;
    segment.unsyncedBytes = 0;
    // A failure is kept by the group commit: it turns the disk read-only and fails every later one.
    segment.commit.commit().catch(() => undefined);
  }

  /** Resolves when everything written into the extent's segment so far is power-safe. */
  async commit(extent: Extent): Promise<void> {
    const { commit } = extent.segment;
    if (commit === undefined) throw new StoreError("io", "the segment is closed");
    extent.segment.unsyncedBytes = 0;
    await commit.commit();
  }

  /** A reserved extent. Failures may turn the disk read-only or failed. */
  async reserve(recordBytes: number): Promise<Extent> {
    this.parts.health.requireAlive();
    try {
      return await this.parts.segments.reserve(recordBytes);
    } catch (error) {
      throw this.parts.health.noteWriteError(error);
    }
  }

  /** Puts a shard that was found damaged at `entry` on the list, if it still lies there. */
  noteBad(entry: IndexEntry, reason: string, by: Finder): void {
    const { index, log, metrics, clock, label } = this.parts;
    const { name } = entry.shard;
    const now = index.get(name);
    if (now?.segment !== entry.segment || now.offset !== entry.offset) return;
    if (!index.addBad(name, reason, clock.wallMs())) return;
    metrics.corruptShards.increment({ disk: label, by });
    log.warn("a shard is damaged", { shard: printName(name), reason, by });
  }

  /** Turns a failed read into the error to throw; an unreadable shard goes on the list. */
  readFailure(error: unknown, entry: IndexEntry, by: Finder): StoreError {
    const failure = this.parts.health.noteReadError(error);
    if (isStoreError(failure, "io")) this.noteBad(entry, `unreadable: ${failure.message}`, by);
    return failure;
  }

  /** Throws "not-found" naming the shard. */
  requireEntry(name: ShardName): IndexEntry {
    const entry = this.parts.index.get(name);
    if (entry !== undefined) return entry;
    throw new StoreError("not-found", `no shard ${printName(name)} on this disk`);
  }
}

/** The file of a segment that is being written. */
function fileOf(segment: Segment): DiskFile {
  if (segment.file !== undefined) return segment.file;
  throw new StoreError("io", `segment ${segment.number} is closed`);
}
