// One segment file: its length, what of it lives, the extents being written, and who uses the file.
import { assert } from "../lib/base/assert.ts";
import type { DiskFile } from "../lib/ports/disk.ts";
import type { GroupCommit } from "./group-commit.ts";
import type { SegmentHeader } from "./record-format.ts";

export interface SegmentStats {
  /** Bytes of records that the index points to. */
  liveBytes: number;
  liveCount: number;
  /** Bytes of tombstones, which must be kept or carried on. */
  tombstoneBytes: number;
}

/** Room for one record; nobody else writes there. */
export interface Extent {
  readonly segment: Segment;
  readonly offset: number;
  readonly bytes: number;
}

export class Segment {
  readonly number: number;
  readonly path: string;
  readonly stats: SegmentStats = { liveBytes: 0, liveCount: 0, tombstoneBytes: 0 };
  readonly extents = new Set<Extent>();
  /** Where the next extent begins: the segment's length. */
  bytes: number;
  /** Undefined until read from the file; null when the file has no whole header. */
  header: SegmentHeader | null | undefined;
  /** Only for segments made by this process. */
  commit: GroupCommit | undefined;
  /** Written since the last sync that was asked for. */
  unsyncedBytes = 0;
  /** No extents are given any more. */
  closed: boolean;
  file: DiskFile | undefined;
  /** In the middle of opening `file`. */
  opening: Promise<DiskFile> | undefined;
  users = 0;
  /** Called when the last user leaves, once the segment is to be removed. */
  onUnused: (() => void) | undefined;

  constructor(number: number, path: string, made: { readonly bytes: number; closed: boolean }) {
    this.number = number;
    this.path = path;
    this.bytes = made.bytes;
    this.closed = made.closed;
  }

  /** Bytes that neither live nor are tombstones: gained by compacting. */
  get deadBytes(): number {
    return this.bytes - this.stats.liveBytes - this.stats.tombstoneBytes;
  }

  reserve(bytes: number): Extent {
    assert(!this.closed, "segment: closed for new extents");
    const extent = { segment: this, offset: this.bytes, bytes };
    this.bytes += bytes;
    this.extents.add(extent);
    return extent;
  }

  /** Smallest offset above which records may still be committed. */
  get openFrom(): number {
    let lowest = this.bytes;
    for (const extent of this.extents) lowest = Math.min(lowest, extent.offset);
    return lowest;
  }

  leave(): void {
    assert(this.users > 0, "segment: left more often than entered");
    this.users -= 1;
    if (this.users === 0) this.onUnused?.();
  }
}
