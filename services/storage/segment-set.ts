// All segments of a disk: gives out extents, makes and closes segment files, keeps a bounded number
// of them open, and removes a segment only after its last reader left. A segment exists for writers
// only after its header and its name are power-safe. Numbers grow and the highest one is never
// removed.
import { assert, present } from "../lib/base/assert.ts";
import { Mutex } from "../lib/base/bounded.ts";
import { isStoreError, StoreError, toStoreError } from "../lib/base/errors.ts";
import type { Clock } from "../lib/ports/clock.ts";
import type { Disk, DiskFile } from "../lib/ports/disk.ts";
import type { Log } from "../lib/ports/log.ts";
import type { Random } from "../lib/ports/random.ts";
import { GroupCommit } from "./group-commit.ts";
import {
  blockAligned,
  decodeSegmentHeader,
  encodeFooter,
  encodeRecordHeader,
  encodeSegmentHeader,
  layoutOf,
  NONCE_BYTES,
  type RecordHeader,
  SEGMENT_DATA_OFFSET,
  type SegmentHeader,
} from "./record-format.ts";
import { type Extent, Segment } from "./segment.ts";

export interface SegmentSetDeps {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface SegmentSetOptions {
  /** The folder of segment files; it exists. */
  readonly folder: string;
  readonly diskUuid: Uint8Array;
  readonly segmentBytes: number;
  readonly openFilesMax: number;
  /** A write or sync failed in a way that says the disk is broken. */
  readonly onDiskFailure: (error: StoreError) => void;
}

/** A place among all segments: everything below it is settled. */
export interface Position {
  readonly segment: number;
  readonly offset: number;
}

const FILE_NAME = /^(\d{8,10})\.seg$/;
const SEAL_BYTES = layoutOf({ kind: "seal", writtenMs: 0 }).recordBytes;

export class SegmentSet {
  readonly #deps: SegmentSetDeps;
  readonly #options: SegmentSetOptions;
  /** In order of numbers, because they only grow. */
  readonly #segments = new Map<number, Segment>();
  /** Those with extents being written. */
  readonly #beingWritten = new Set<Segment>();
  /** Open and unused, least recently used first. */
  readonly #idle = new Map<number, Segment>();
  readonly #allocation = new Mutex();
  readonly #sealing = new Set<Promise<void>>();
  #active: Segment | undefined;
  #lastNumber = 0;
  #openFiles = 0;

  constructor(deps: SegmentSetDeps, options: SegmentSetOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Learns which segment files there are; their lengths are not known yet. */
  async load(): Promise<void> {
    const numbers: number[] = [];
    for (const name of await this.#deps.disk.list(this.#options.folder)) {
      const number = Number(FILE_NAME.exec(name)?.[1] ?? Number.NaN);
      if (!Number.isNaN(number)) numbers.push(number);
      else this.#deps.log.warn("a file in the segment folder is no segment", { name });
    }
    for (const number of numbers.sort((a, b) => a - b)) {
      const made = { bytes: SEGMENT_DATA_OFFSET, closed: true };
      this.#segments.set(number, new Segment(number, this.#path(number), made));
      this.#lastNumber = Math.max(this.#lastNumber, number);
    }
  }

  get(number: number): Segment | undefined {
    return this.#segments.get(number);
  }

  /** Segments in order of their numbers. */
  all(): Segment[] {
    return [...this.#segments.values()];
  }

  get usedBytes(): number {
    let used = 0;
    for (const segment of this.#segments.values()) used += segment.bytes;
    return used;
  }

  get lastNumber(): number {
    return this.#lastNumber;
  }

  /** Records below it are in the index or will never be committed. */
  position(): Position {
    let oldest: Segment | undefined;
    for (const segment of this.#beingWritten) {
      if (oldest === undefined || segment.number < oldest.number) oldest = segment;
    }
    if (oldest !== undefined) return { segment: oldest.number, offset: oldest.openFrom };
    if (this.#active !== undefined) {
      return { segment: this.#active.number, offset: this.#active.bytes };
    }
    return { segment: this.#lastNumber + 1, offset: 0 };
  }

  /** Room for a record; `settle` it in the end, committed or not. Throws "no-space", "io". */
  reserve(recordBytes: number): Promise<Extent> {
    assert(recordBytes % 512 === 0, "reserve: not whole blocks");
    return this.#allocation.run(async () => {
      const active = this.#active;
      const end = (active?.bytes ?? 0) + recordBytes;
      if (active !== undefined && end <= this.#options.segmentBytes) {
        return this.#give(active, recordBytes);
      }
      this.roll();
      const made = await this.#create();
      this.#active = made;
      return this.#give(made, recordBytes);
    });
  }

  /** The extent's record is in the index, or abandoned. */
  settle(extent: Extent): void {
    const { segment } = extent;
    assert(segment.extents.delete(extent), "settle: not a reserved extent");
    if (segment.extents.size === 0) this.#beingWritten.delete(segment);
    if (segment.closed && segment.extents.size === 0) this.#sealLater(segment);
  }

  /** Closes the active segment for new extents, so that it may be compacted. */
  roll(): void {
    const active = this.#active;
    if (active === undefined) return;
    this.#active = undefined;
    active.closed = true;
    if (active.extents.size === 0) this.#sealLater(active);
  }

  /** Opens the segment's file for reading, kept open until `leave`. Throws "not-found", "io". */
  async enter(segment: Segment): Promise<DiskFile> {
    segment.users += 1;
    this.#idle.delete(segment.number);
    try {
      segment.opening ??= segment.file === undefined ? this.#open(segment) : undefined;
      return segment.file ?? (await present(segment.opening, "opening file"));
    } catch (error) {
      this.leave(segment);
      throw error;
    }
  }

  leave(segment: Segment): void {
    segment.leave();
    if (segment.users > 0 || segment.file === undefined || segment.onUnused !== undefined) return;
    if (segment.commit !== undefined) return;
    this.#idle.set(segment.number, segment);
    this.#closeIdle();
  }

  /** The segment's header, or null when the file has none. */
  async header(segment: Segment): Promise<SegmentHeader | null> {
    if (segment.header !== undefined) return segment.header;
    const file = await this.enter(segment);
    try {
      const bytes = new Uint8Array(SEGMENT_DATA_OFFSET);
      const read = await file.read(bytes, 0);
      const header = decodeSegmentHeader(bytes.subarray(0, read));
      const own = header?.number === segment.number ? header : undefined;
      segment.header = own ?? null;
      return segment.header;
    } finally {
      this.leave(segment);
    }
  }

  /** Removes a closed segment after its last user left; resolves when its name is durably gone. */
  async remove(segment: Segment): Promise<void> {
    assert(segment.closed && segment.extents.size === 0, "remove: a segment in use");
    assert(segment.number < this.#lastNumber, "remove: the highest number is kept");
    this.#idle.delete(segment.number);
    await new Promise<void>((resolve) => {
      segment.onUnused = resolve;
      if (segment.users === 0) resolve();
    });
    await this.#closeFile(segment);
    await this.#deps.disk.remove(segment.path);
    await this.#deps.disk.syncDirectory(this.#options.folder);
    this.#segments.delete(segment.number);
  }

  /** Drops a file that never became a segment: it ends before its first record. */
  async discard(segment: Segment): Promise<void> {
    this.#idle.delete(segment.number);
    await this.#closeFile(segment);
    await this.#deps.disk.remove(segment.path);
    this.#segments.delete(segment.number);
  }

  /**
   * Makes a recovered segment's bytes power-safe (after a kill they may stand in memory only) and
   * finds its length.
   */
  async settleRecovered(segment: Segment): Promise<void> {
    const file = await this.#deps.disk.open(segment.path, "write");
    try {
      await file.datasync();
      segment.bytes = blockAligned(Math.max(SEGMENT_DATA_OFFSET, await file.size()));
    } finally {
      await file.close();
    }
  }

  /** Appends the mark that says everything in a recovered segment was found whole. */
  async sealRecovered(segment: Segment): Promise<void> {
    if ((await this.header(segment)) === null) return;
    const file = await this.#deps.disk.open(segment.path, "write");
    try {
      await this.#writeSeal(segment, file);
    } finally {
      await file.close();
    }
  }

  /** Waits for seals and closes all files. */
  async close(): Promise<void> {
    this.roll();
    await Promise.all(this.#sealing);
    for (const segment of this.#segments.values()) await this.#closeFile(segment);
    this.#idle.clear();
  }

  /** What `work` throws is thrown when all files are closed. */
  async closedOnError<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  #give(segment: Segment, recordBytes: number): Extent {
    this.#beingWritten.add(segment);
    return segment.reserve(recordBytes);
  }

  #path(number: number): string {
    return `${this.#options.folder}/${String(number).padStart(8, "0")}.seg`;
  }

  async #create(): Promise<Segment> {
    const { disk, clock, random } = this.#deps;
    this.#lastNumber += 1;
    const number = this.#lastNumber;
    const header: SegmentHeader = {
      number,
      diskUuid: this.#options.diskUuid,
      nonce: random.bytes(NONCE_BYTES),
      createdMs: clock.wallMs(),
    };
    const path = this.#path(number);
    const file = await disk.open(path, "create");
    try {
      await file.write([encodeSegmentHeader(header)], 0);
      await this.#syncNew(file);
    } catch (error) {
      await this.#dropUnmade(file, path);
      throw error;
    }
    const segment = new Segment(number, path, { bytes: SEGMENT_DATA_OFFSET, closed: false });
    segment.header = header;
    segment.file = file;
    segment.commit = new GroupCommit(() => file.datasync(), this.#options.onDiskFailure);
    this.#openFiles += 1;
    this.#segments.set(number, segment);
    return segment;
  }

  async #syncNew(file: DiskFile): Promise<void> {
    try {
      await file.datasync();
      await this.#deps.disk.syncDirectory(this.#options.folder);
    } catch (error) {
      if (!isStoreError(error, "no-space")) this.#options.onDiskFailure(toStoreError(error, "io"));
      throw error;
    }
  }

  async #dropUnmade(file: DiskFile, path: string): Promise<void> {
    try {
      await file.close();
      await this.#deps.disk.remove(path);
    } catch (error) {
      this.#deps.log.error("an unfinished segment file stays behind", error, { path });
    }
  }

  async #open(segment: Segment): Promise<DiskFile> {
    try {
      const file = await this.#deps.disk.open(segment.path, "read");
      segment.file = file;
      this.#openFiles += 1;
      this.#closeIdle();
      return file;
    } finally {
      segment.opening = undefined;
    }
  }

  #closeIdle(): void {
    for (const segment of this.#idle.values()) {
      if (this.#openFiles <= this.#options.openFilesMax) return;
      this.#idle.delete(segment.number);
      this.#track(this.#closeFile(segment));
    }
  }

  async #closeFile(segment: Segment): Promise<void> {
    const file = segment.file;
    if (file === undefined) return;
    segment.file = undefined;
    segment.commit = undefined;
    this.#openFiles -= 1;
    await file.close();
  }

  #sealLater(segment: Segment): void {
    this.#track(this.#seal(segment));
  }

  /** A failure here costs a seal or a handle, never data: it is logged. */
  #track(work: Promise<void>): void {
    const tracked = work
      .catch((error: unknown) => {
        this.#deps.log.error("closing a segment failed", error);
      })
      .finally(() => this.#sealing.delete(tracked));
    this.#sealing.add(tracked);
  }

  async #seal(segment: Segment): Promise<void> {
    const { commit } = segment;
    if (commit === undefined) return;
    segment.users += 1;
    try {
      await commit.commit();
      await this.#writeSeal(segment, present(segment.file, "file of a made segment"));
    } finally {
      segment.commit = undefined;
      this.leave(segment);
    }
  }

  async #writeSeal(segment: Segment, file: DiskFile): Promise<void> {
    const header: RecordHeader = { kind: "seal", writtenMs: this.#deps.clock.wallMs() };
    const { nonce } = present(segment.header, "segment header");
    const place = { nonce, offset: segment.bytes };
    const encoded = encodeRecordHeader(header, place);
    const headerCrc = Buffer.from(encoded).readUInt32LE(encoded.byteLength - 4);
    const footer = encodeFooter({ headerCrc, tableCrc: 0, sequence: 0 }, place);
    segment.bytes += SEAL_BYTES;
    const padding = new Uint8Array(SEAL_BYTES - encoded.byteLength - footer.byteLength);
    await file.write([encoded, footer, padding], place.offset);
  }
}

/** A write failed: a broken disk or a full one? Anything else is the caller's error to pass on. */
export function isDiskFailure(error: unknown): boolean {
  return !(error instanceof StoreError) || error.code === "io";
}
