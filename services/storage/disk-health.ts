// Whether a disk takes writes: up, read-only (full) or failed. Failed is final for this object:
// after a failed write or sync nobody knows what the disk holds. Full ends by itself once space is
// back. A spare file holds space that is given up so that deletes work when the file system is full
// to the brim.
import { isStoreError, StoreError, toStoreError } from "../lib/base/errors.ts";
import type { Clock } from "../lib/ports/clock.ts";
import type { Disk, DiskFile, DiskUsage } from "../lib/ports/disk.ts";
import type { Log } from "../lib/ports/log.ts";
import { SEGMENT_DATA_OFFSET } from "./record-format.ts";
import type { ShardStoreSettings } from "./settings.ts";
import { DISK_CONDITIONS, type StorageMetrics } from "./storage-metrics.ts";

export type DiskCondition = (typeof DISK_CONDITIONS)[number];

export interface DiskHealthDeps {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: StorageMetrics;
}

export interface DiskHealthOptions {
  readonly folder: string;
  readonly sparePath: string;
  readonly label: string;
  readonly settings: ShardStoreSettings;
}

const ERROR_KINDS = ["read", "write"] as const;
const USAGE_AGE_MS = 1000;
/** Space that must be back above the reserve before writes are taken again. */
const RETURN_SHARE = 0.2;
/** Writing this part of the room (one in so many) makes a new measurement due. */
const ROOM_SHARE = 8;
const SPARE_PIECE_BYTES = 1024 * 1024;

export class DiskHealth {
  readonly #deps: DiskHealthDeps;
  readonly #options: DiskHealthOptions;
  #condition: DiskCondition = "up";
  #reason: StoreError | undefined;
  #usage: DiskUsage = { sizeBytes: 0, freeBytes: 0 };
  #usageMs = Number.NEGATIVE_INFINITY;
  /** Written since the usage was measured. */
  #writtenBytes = 0;
  /** Promised to writers who have not ended. */
  #promisedBytes = 0;
  #readErrors = 0;
  #errors = 0;
  #hasSpare = false;

  constructor(deps: DiskHealthDeps, options: DiskHealthOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  get condition(): DiskCondition {
    return this.#condition;
  }

  get usage(): DiskUsage {
    return this.#usage;
  }

  get errors(): number {
    return this.#errors;
  }

  /** Free bytes that writers leave alone. */
  get reserveBytes(): number {
    const { reserveFraction, reserveBytesMax } = this.#options.settings;
    return Math.min(reserveBytesMax, Math.floor(this.#usage.sizeBytes * reserveFraction));
  }

  /** Throws "io" when the disk failed. */
  requireAlive(): void {
    if (this.#condition !== "failed") return;
    throw new StoreError("io", "the disk has failed", { cause: this.#reason });
  }

  /**
   * Promises room for a record of `bytes` above the reserve; `release` it in the end. Throws
   * "no-space", "io".
   */
  async admit(bytes: number): Promise<void> {
    this.requireAlive();
    const ageMs = this.#deps.clock.monotonicMs() - this.#usageMs;
    const room = this.#usage.freeBytes - this.reserveBytes;
    // What was written may have taken more than its length: near the end it is measured each time.
    if (ageMs > USAGE_AGE_MS || (this.#writtenBytes + bytes) * ROOM_SHARE > room) {
      await this.measure();
    }
    const left = this.roomWithReserve - this.reserveBytes;
    if (this.#condition === "up" && bytes + SEGMENT_DATA_OFFSET > left) {
      this.markFull("writers leave the reserve alone");
    }
    this.requireAlive();
    if (this.#condition === "read-only") throw new StoreError("no-space", "the disk is full");
    this.#promisedBytes += bytes;
  }

  /** A writer that was promised `bytes` ended. */
  release(bytes: number): void {
    this.#promisedBytes -= bytes;
    this.#writtenBytes += bytes;
  }

  /** Bytes that may still be written when the reserve counts too (for compaction). */
  get roomWithReserve(): number {
    return Math.max(0, this.#usage.freeBytes - this.#writtenBytes - this.#promisedBytes);
  }

  /** Measures free space; a full disk with room again takes writes again. */
  async measure(): Promise<void> {
    this.#usage = await this.#deps.disk.usage(this.#options.folder);
    this.#usageMs = this.#deps.clock.monotonicMs();
    this.#writtenBytes = 0;
    const { metrics } = this.#deps;
    metrics.freeBytes.set(this.#usage.freeBytes, { disk: this.#options.label });
    metrics.sizeBytes.set(this.#usage.sizeBytes, { disk: this.#options.label });
    if (this.#condition !== "read-only") return;
    const spareBytes = this.#hasSpare ? 0 : this.#options.settings.spareBytes;
    if (this.#usage.freeBytes <= this.reserveBytes * (1 + RETURN_SHARE) + spareBytes) return;
    await this.ensureSpare();
    this.#set("up", undefined);
    this.#deps.log.info("the disk has room again");
  }

  markFull(why: string): void {
    if (this.#condition !== "up") return;
    this.#set("read-only", new StoreError("no-space", why));
    this.#deps.log.warn("the disk is full: reads and deletes only", { why });
  }

  /** A write, sync or change of names failed: full, or broken. Returns the error to throw. */
  noteWriteError(error: unknown): StoreError {
    const failure = toStoreError(error, "io");
    this.#count("write");
    if (failure.code === "no-space") this.markFull(failure.message);
    else if (failure.code === "io") this.fail(failure);
    return failure;
  }

  /** A read failed. Too many, and the disk counts as failed. */
  noteReadError(error: unknown): StoreError {
    const failure = toStoreError(error, "io");
    if (failure.code !== "io" && failure.code !== "not-found") return failure;
    this.#count("read");
    this.#readErrors += 1;
    if (this.#readErrors >= this.#options.settings.readErrorsMax) this.fail(failure);
    return failure;
  }

  fail(error: StoreError): void {
    if (this.#condition === "failed") return;
    this.#set("failed", error);
    this.#deps.log.error("the disk has failed: no more writes", error);
  }

  /** Sets space aside, if there is enough above the reserve. Measure first. Throws "io". */
  async ensureSpare(): Promise<void> {
    const { sparePath, settings } = this.#options;
    if (this.#hasSpare || settings.spareBytes === 0) return;
    const { disk } = this.#deps;
    if (await this.#isSpareThere()) {
      this.#hasSpare = true;
      return;
    }
    if (this.#usage.freeBytes < this.reserveBytes + settings.spareBytes) return;
    const file = await disk.open(sparePath, "create");
    try {
      await fillSpare(file, settings.spareBytes);
      this.#hasSpare = true;
    } catch (error) {
      if (!isStoreError(error, "no-space")) throw error;
      this.#deps.log.warn("no room for the spare file");
    } finally {
      await file.close();
      if (!this.#hasSpare) await disk.remove(sparePath);
    }
  }

  /** An earlier process's spare file counts when it is whole; else it is removed. */
  async #isSpareThere(): Promise<boolean> {
    const { disk } = this.#deps;
    const { sparePath, settings } = this.#options;
    if (!(await disk.exists(sparePath))) return false;
    const file = await disk.open(sparePath, "read");
    const size = await file.size().finally(() => file.close());
    if (size === settings.spareBytes) return true;
    await disk.remove(sparePath);
    return false;
  }

  /** Gives the spare space up; true when there was some. */
  async releaseSpare(): Promise<boolean> {
    if (!this.#hasSpare) return false;
    this.#hasSpare = false;
    await this.#deps.disk.remove(this.#options.sparePath);
    return true;
  }

  #set(condition: DiskCondition, reason: StoreError | undefined): void {
    this.#condition = condition;
    this.#reason = reason;
    this.showCondition();
  }

  /** Errors are counted from 0 on, so that the first one is seen as a rise. */
  showCondition(): void {
    const { metrics } = this.#deps;
    for (const kind of ERROR_KINDS) {
      metrics.diskErrors.increment({ disk: this.#options.label, kind }, 0);
    }
    for (const state of DISK_CONDITIONS) {
      metrics.diskState.set(state === this.#condition ? 1 : 0, {
        disk: this.#options.label,
        state,
      });
    }
  }

  #count(kind: (typeof ERROR_KINDS)[number]): void {
    this.#errors += 1;
    this.#deps.metrics.diskErrors.increment({ disk: this.#options.label, kind });
  }
}

/** Real bytes, so that the file system cannot do without the space. */
async function fillSpare(file: DiskFile, bytes: number): Promise<void> {
  const piece = new Uint8Array(Math.min(SPARE_PIECE_BYTES, bytes)).fill(0x5a);
  for (let at = 0; at < bytes; at += piece.byteLength) {
    await file.write([piece.subarray(0, bytes - at)], at);
  }
  await file.datasync();
}
