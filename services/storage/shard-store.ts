// The shards of one disk: write, read, delete, ask, list; and the chores of keeping them:
// checkpoints of the index, compaction, scrubbing, watching free space. What was acknowledged
// survives a crash at any point; what was not is absent or whole.
import { Mutex, Semaphore } from "../lib/base/bounded.ts";
import { toHex } from "../lib/base/bytes.ts";
import { isStoreError, StoreError } from "../lib/base/errors.ts";
import type { KvFactory } from "../lib/ports/kv.ts";
import type { Random } from "../lib/ports/random.ts";
import { damageCanary } from "./canary-damage.ts";
import type { CheckedRun } from "./cell-source.ts";
import { compactSegment, pickSegment } from "./compaction.ts";
import { DiskHealth, type DiskHealthDeps } from "./disk-health.ts";
import { openIdentity, SEGMENT_FOLDER, SPARE_FILE } from "./disk-identity.ts";
import type { BadShard, IndexEntry, StoredStats } from "./index-entry.ts";
import { KeyedMutex } from "./keyed-mutex.ts";
import { createPace, type Pace } from "./pace.ts";
import { layoutOf } from "./record-format.ts";
import type { StatsTable } from "./recovery.ts";
import { Scrubber, type ScrubProgress } from "./scrubber.ts";
import type { Segment } from "./segment.ts";
import { SegmentSet } from "./segment-set.ts";
import type { ShardStoreSettings } from "./settings.ts";
import { type DeleteItem, deleteShards } from "./shard-deleter.ts";
import { type CheckpointState, ShardIndex } from "./shard-index.ts";
import { type CellSelection, readCells, type ShardState, statShard } from "./shard-reader.ts";
import { checkDescription, type ShardDescription, type ShardName } from "./shard-types.ts";
import { ShardWriter } from "./shard-writer.ts";
import { FINDERS, StoreContext } from "./store-context.ts";
import {
  type IndexFolder,
  indexPath,
  type RecoveredIndex,
  rebuildWhileServing,
  recoverIndex,
  segmentBytesFor,
  type Trust,
} from "./store-opening.ts";
import { adoptStats, applyChanges, type ShardStoreStatus, showGauges } from "./store-stats.ts";

export interface ShardStoreDeps extends DiskHealthDeps {
  readonly random: Random;
  readonly kvFactory: KvFactory;
}

/** Changes in memory, in checkpoints, past which a store that cannot be written refuses work. */
const BACKLOG_MAX = 16;

interface StoreParts {
  readonly deps: ShardStoreDeps;
  readonly context: StoreContext;
  readonly place: IndexFolder;
  readonly uuid: Uint8Array;
  readonly recovered: RecoveredIndex;
}

export class ShardStore {
  readonly uuid: Uint8Array;
  readonly #context: StoreContext;
  readonly #place: IndexFolder;
  readonly #deps: ShardStoreDeps;
  readonly #writers: Semaphore;
  readonly #readers: Semaphore;
  readonly #scrubber: Scrubber;
  /** Compaction and rebuild never run beside each other. */
  readonly #chores = new Mutex();
  /** Segments that compaction had to keep, with the live shards they had then. */
  readonly #kept = new Map<Segment, number>();
  readonly #storedStats = new Map<number, string>();
  /** Segments from here on were made by this process. */
  readonly #firstOwn: number;
  #generation: number;
  #indexBroken = false;
  #checkpointMs: number;
  /** Fires when the store ends: chores stop. */
  readonly #ending = new AbortController();
  readonly #pace: Pace;
  #closed = false;
  #isDrained = false;
  #closing: Promise<void> | undefined;

  private constructor(parts: StoreParts) {
    const { deps, context, recovered } = parts;
    this.uuid = parts.uuid;
    this.#context = context;
    this.#place = parts.place;
    this.#deps = deps;
    const { openWritesMax, openReadsMax, waitingMax, ...rates } = context.parts.settings;
    this.#writers = new Semaphore(openWritesMax, waitingMax);
    this.#readers = new Semaphore(openReadsMax, waitingMax);
    this.#firstOwn = context.parts.segments.lastNumber + 1;
    this.#generation = recovered.generation;
    this.#checkpointMs = deps.clock.monotonicMs();
    this.#pace = createPace(deps.clock, {
      bytesPerSecond: rates.compactionBytesPerSecond,
      creditMs: 1000,
      signal: this.#ending.signal,
    });
    this.#scrubber = new Scrubber(context, recovered.checkpoint, () => this.#verifyIndex());
  }

  /**
   * Opens the disk in `folder`, formatting it when it is empty. Throws "denied" when the folder may
   * not be written, "invalid" when it holds other things, "unavailable" when another process has
   * it, "io". `trust` is "recovered" unless the disk failed under this process.
   */
  static async open(
    deps: ShardStoreDeps,
    folder: string,
    settings: ShardStoreSettings & { readonly trust?: Trust },
  ): Promise<ShardStore> {
    const { disk, clock, random, metrics, kvFactory } = deps;
    const { uuid } = await openIdentity(disk, random, folder);
    const label = toHex(uuid);
    const log = deps.log.child({ disk: label });
    const sparePath = `${folder}/${SPARE_FILE}`;
    const health = new DiskHealth(
      { disk, clock, log, metrics },
      { folder, sparePath, label, settings },
    );
    const segments = new SegmentSet(
      { disk, clock, random, log },
      {
        folder: `${folder}/${SEGMENT_FOLDER}`,
        diskUuid: uuid,
        segmentBytes: await segmentBytesFor(disk, folder, settings),
        openFilesMax: settings.openFilesMax,
        onDiskFailure: (error) => health.fail(error),
      },
    );
    await disk.mkdir(`${folder}/${SEGMENT_FOLDER}`);
    await disk.syncDirectory(folder);
    await segments.load();
    const place = { disk, kvFactory, log, folder };
    const recovered = await segments.closedOnError(() => recoverIndex(place, segments));
    const index = new ShardIndex(recovered.kv);
    const locks = new KeyedMutex();
    const context = new StoreContext(
      { disk, clock, log, metrics, settings, segments, index, health, locks, label },
      { sequence: recovered.checkpoint.sequence, unproven: recovered.unproven },
    );
    const store = new ShardStore({ deps, context, place, uuid, recovered });
    try {
      await store.#start(recovered, settings.trust ?? "recovered");
      return store;
    } catch (error) {
      await segments.close().finally(() => index.close());
      throw error;
    }
  }

  get status(): ShardStoreStatus {
    const { health, segments, index } = this.#context.parts;
    return {
      condition: health.condition,
      sizeBytes: health.usage.sizeBytes,
      freeBytes: health.usage.freeBytes,
      usedBytes: segments.usedBytes,
      shardCount: segments.all().reduce((sum, { stats }) => sum + stats.liveCount, 0),
      errors: health.errors,
      badShards: index.badCount,
    };
  }

  get scrubProgress(): ScrubProgress {
    return this.#scrubber.progress;
  }

  /**
   * Begins a shard; waits for its turn. Throws "invalid", "no-space", "io", "exhausted", "aborted".
   * The writer must be finished or abandoned.
   */
  async beginWrite(shard: ShardDescription, signal?: AbortSignal): Promise<ShardWriter> {
    checkDescription(shard);
    this.#requireOpen();
    await this.#writers.acquire(1, signal);
    const { health } = this.#context.parts;
    const { recordBytes } = layoutOf({ kind: "shard", shard, writtenMs: 0 });
    let isAdmitted = false;
    const onEnd = (): void => {
      if (isAdmitted) health.release(recordBytes);
      this.#writers.release(1);
    };
    try {
      this.#requireOpen();
      await health.admit(recordBytes);
      isAdmitted = true;
      const extent = await this.#context.reserve(recordBytes);
      return new ShardWriter(this.#context, shard, { extent, onEnd });
    } catch (error) {
      onEnd();
      throw error;
    }
  }

  /**
   * Cells in order, as `selection` has them come, each checked; waits for its turn. Throws
   * "not-found", "invalid", "corrupt",
   * "io", "unavailable", "exhausted", "aborted".
   */
  async *readCells(
    name: ShardName,
    selection: CellSelection,
    signal?: AbortSignal,
  ): AsyncGenerator<CheckedRun, void, void> {
    this.#requireServed();
    await this.#readers.acquire(1, signal);
    try {
      this.#requireServed();
      yield* readCells(this.#context, name, selection);
    } finally {
      this.#readers.release(1);
    }
  }

  /** Deletes what is there and fits the items; resolves with how many when that is power-safe. */
  async deleteShards(items: readonly DeleteItem[]): Promise<number> {
    this.#requireOpen();
    return deleteShards(this.#context, items);
  }

  /** Damages a canary's shard and no other; throws what damageCanary throws. */
  async damageCanary(name: ShardName, manifestId: Uint8Array): Promise<void> {
    this.#requireOpen();
    await damageCanary(this.#context, name, manifestId);
  }

  async stat(name: ShardName, verify: boolean): Promise<ShardState> {
    this.#requireServed();
    return statShard(this.#context, name, verify);
  }

  /** Entries in order of names, after `after`. */
  async list(after: ShardName | undefined, count: number): Promise<IndexEntry[]> {
    this.#requireServed();
    return this.#context.parts.index.list(after, count);
  }

  /** Damaged shards found after `cursor`, oldest first, with what is known of them. */
  listBad(
    cursor: number,
    limit: number,
  ): readonly { readonly bad: BadShard; readonly entry: IndexEntry | undefined }[] {
    this.#requireServed();
    const { index } = this.#context.parts;
    return index.listBad(cursor, limit).map((bad) => ({ bad, entry: index.get(bad.name) }));
  }

  /** Whether all shards that were acknowledged are here, and who settles it. */
  get doubt(): Pick<ShardIndex, "doubtMs" | "settleDoubt"> {
    return this.#context.parts.index;
  }

  /** Watches space, checkpoints when due, rebuilds a lost index, compacts one segment. */
  async maintain(): Promise<void> {
    const { health, clock, settings, index } = this.#context.parts;
    if (this.#closed || health.condition === "failed") return;
    await this.#guarded("measure", () => health.measure());
    showGauges(this.#context.parts, this.status);
    if (index.damaged) await this.#guarded("rebuild the index", () => this.#rebuild());
    const isDue = clock.monotonicMs() - this.#checkpointMs >= settings.checkpointMs;
    const isChanged = index.changeCount > 0 || this.#scrubber.isUnsaved;
    if (index.changeCount >= settings.checkpointOperations || (isDue && isChanged)) {
      await this.#guarded("checkpoint", () => this.checkpoint());
    }
    await this.#guarded("compact", () => this.compactOnce());
  }

  /** Compacts the segment that wins most; false when there is none. Throws "no-space", "io". */
  async compactOnce(): Promise<boolean> {
    return this.#chores.run(async () => {
      const skip = (segment: Segment): boolean =>
        this.#kept.get(segment) === segment.stats.liveCount;
      const segment = pickSegment(this.#context, skip);
      if (segment === undefined) return false;
      const outcome = await compactSegment(this.#context, segment, {
        checkpoint: () => this.checkpoint(),
        pace: this.#isUrgent() ? unpaced : this.#pace,
      });
      if (outcome === "removed") this.#kept.delete(segment);
      else this.#kept.set(segment, segment.stats.liveCount);
      return true;
    });
  }

  /** Makes the index durable up to now, so that less must be read after a crash. */
  async checkpoint(): Promise<void> {
    try {
      await this.#writeCheckpoint();
    } catch (error) {
      this.#indexBroken = true;
      if (!isStoreError(error, "no-space")) throw error;
      this.#context.parts.health.markFull("no room for the index");
      if (!(await this.#context.parts.health.releaseSpare())) throw error;
      await this.#writeCheckpoint();
    }
  }

  /** Scrubs until `signal` fires. */
  async scrub(signal: AbortSignal): Promise<void> {
    await this.#scrubber.run(AbortSignal.any([signal, this.#ending.signal]));
  }

  /** One pass over all shards. */
  async scrubOnce(signal: AbortSignal): Promise<void> {
    await this.#scrubber.pass(signal);
  }

  /** An operator wants a pass, by number: it begins at once, unless it was begun before. */
  askScrub(pass: number): void {
    this.#scrubber.ask(pass);
  }

  /** Closes the active segment, so that it can be compacted; the next write begins another. */
  rollSegment(): void {
    this.#context.parts.segments.roll();
  }

  /** Ends all work; running writers must have ended. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#ending.abort();
    this.#closing ??= this.#close();
    await this.#closing;
  }

  /**
   * Takes no more calls, waits until the running ones ended, and closes: the disk is to be opened
   * anew. Throws "aborted" when they do not end; may be called again.
   */
  async retire(signal: AbortSignal): Promise<void> {
    this.#closed = true;
    this.#ending.abort();
    if (!this.#isDrained) {
      await this.#writers.acquire(this.#writers.capacity, signal);
      try {
        await this.#readers.acquire(this.#readers.capacity, signal);
      } catch (error) {
        this.#writers.release(this.#writers.capacity);
        throw error;
      }
      // Who still waits is let in and told that the store is closed.
      this.#isDrained = true;
      this.#writers.release(this.#writers.capacity);
      this.#readers.release(this.#readers.capacity);
    }
    await this.close();
  }

  async #close(): Promise<void> {
    const { segments, index, health, log } = this.#context.parts;
    await this.#chores.run(async () => {
      try {
        await segments.close();
        if (health.condition !== "failed") {
          await this.checkpoint().catch((error: unknown) => {
            log.error("last checkpoint failed: the next start reads more", error);
          });
        }
      } finally {
        // Left open it would be locked, and the disk could not be opened anew by this process.
        await index.close();
      }
    });
  }

  async #start(recovered: RecoveredIndex, trust: Trust): Promise<void> {
    const { segments, health, metrics, label, index, clock } = this.#context.parts;
    await index.load(recovered.checkpoint.badCursor);
    if (recovered.inDoubt) index.doubt(clock.wallMs());
    adoptStats(segments, recovered.stats);
    if (recovered.rebuilt) metrics.indexRebuilds.increment({ disk: label });
    await health.measure();
    await health.ensureSpare();
    await this.#guarded("first checkpoint", async () => {
      await this.checkpoint();
      if (trust === "sealed") return;
      for (const segment of recovered.toSeal) await segments.sealRecovered(segment);
    });
    if (trust === "sealed") await this.#copyRecovered(recovered.unsealed);
    health.showCondition();
    for (const by of FINDERS) metrics.corruptShards.increment({ disk: label, by }, 0);
  }

  /**
   * Writes what was found in unsealed segments anew. After a failed sync the system may show bytes
   * that are not on the disk, and a second sync of them succeeds without writing: only a copy is
   * known to be power-safe. Throws "io", "no-space".
   */
  async #copyRecovered(unsealed: readonly Segment[]): Promise<void> {
    const help = { checkpoint: () => this.checkpoint(), pace: unpaced };
    await this.#chores.run(async () => {
      for (const segment of unsealed) {
        const outcome = await compactSegment(this.#context, segment, help);
        if (outcome === "kept") this.#kept.set(segment, segment.stats.liveCount);
      }
    });
    this.#context.parts.health.requireAlive();
  }

  async #writeCheckpoint(): Promise<void> {
    const { index, clock } = this.#context.parts;
    if (this.#indexBroken) {
      const path = indexPath(this.#place.folder, this.#generation);
      await index.reopen(() => this.#deps.kvFactory.open(path));
      this.#indexBroken = false;
    }
    this.#checkpointMs = clock.monotonicMs();
    const written: (() => void)[] = [];
    await index.checkpoint(() => this.#checkpointState(written));
    for (const note of written) note();
  }

  #checkpointState(written: (() => void)[]): CheckpointState {
    const { segments } = this.#context.parts;
    const stats: { number: number; stats: StoredStats | undefined }[] = [];
    for (const segment of segments.all()) {
      const value = { bytes: segment.bytes, ...segment.stats };
      const text = Object.values(value).join(" ");
      const { number } = segment;
      if (this.#storedStats.get(number) === text) continue;
      stats.push({ number, stats: value });
      written.push(() => this.#storedStats.set(number, text));
    }
    for (const number of this.#storedStats.keys()) {
      if (segments.get(number) !== undefined) continue;
      stats.push({ number, stats: undefined });
      written.push(() => this.#storedStats.delete(number));
    }
    const { sequence } = this.#context;
    const place = { position: segments.position(), sequence };
    return { checkpoint: { ...place, ...this.#scrubber.takeState() }, stats };
  }

  async #rebuild(): Promise<void> {
    await this.#chores.run(async () => {
      const { segments, index, metrics, label, clock } = this.#context.parts;
      const old = this.#generation;
      const generation = old + 1;
      let stats: StatsTable = new Map();
      const build = async () => {
        const options = { generation, firstOwn: this.#firstOwn };
        const made = await rebuildWhileServing(this.#place, segments, options);
        stats = made.stats;
        return made.kv;
      };
      await index.replace(build, (kv, changes) => {
        applyChanges(stats, changes, (change) => index.storedIn(kv, change));
        adoptStats(segments, stats);
        this.#generation = generation;
        this.#storedStats.clear();
        index.doubt(clock.wallMs());
      });
      metrics.indexRebuilds.increment({ disk: label });
      await this.checkpoint();
      await this.#deps.kvFactory.destroy(indexPath(this.#place.folder, old));
    });
  }

  async #verifyIndex(): Promise<void> {
    try {
      await this.#deps.kvFactory.verify(indexPath(this.#place.folder, this.#generation));
    } catch (error) {
      if (!isStoreError(error, "corrupt")) throw error;
      this.#context.parts.index.markDamaged();
    }
  }

  /** Without an index nothing may be said to be missing. */
  #requireServed(): void {
    if (this.#closed) throw new StoreError("unavailable", "the disk is being closed");
  }

  /** Space is needed more than quiet. */
  #isUrgent(): boolean {
    return this.#context.parts.health.condition === "read-only";
  }

  #requireOpen(): void {
    this.#requireServed();
    const { index, settings } = this.#context.parts;
    if (index.changeCount <= settings.checkpointOperations * BACKLOG_MAX) return;
    throw new StoreError("exhausted", "the disk's index cannot be written");
  }

  /** A chore that fails is logged and tried again; "io" on the way of writing fails the disk. */
  async #guarded(what: string, work: () => Promise<unknown>): Promise<void> {
    const { log, health } = this.#context.parts;
    try {
      await work();
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      if (error.code === "io") health.fail(error);
      else log.warn("a chore did not finish", { what, reason: error.message });
    }
  }
}

const unpaced: Pace = () => Promise.resolve();
