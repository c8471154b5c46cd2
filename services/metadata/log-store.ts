// The durable log of all Raft groups of one process. One writer gathers what all groups ask for
// while a sync runs, writes it as one batch and syncs once. A batch counts whole or not at all.
// After a failed write or sync nothing is tried again: the log is dead and says so. A full disk is
// no such failure. Format and recovery rules: LOG.md.
import { assert, present } from "../lib/base/assert.ts";
import { type Deferred, deferred } from "../lib/base/bounded.ts";
import { isStoreError, StoreError } from "../lib/base/errors.ts";
import type { Clock } from "../lib/ports/clock.ts";
import type { Disk } from "../lib/ports/disk.ts";
import type { Log } from "../lib/ports/log.ts";
import type { Counter, Gauge, Histogram, Metrics } from "../lib/ports/metrics.ts";
import type { Random } from "../lib/ports/random.ts";
import type { HardState, RaftEntry } from "../lib/raft/core.ts";
import type { GroupLogState, LogWrite, RaftLog } from "../lib/raft/types.ts";
import {
  encodeSegmentHeader,
  NONCE_BYTES,
  RECORD_TYPES,
  SEGMENT_HEADER_BYTES,
  segmentName,
} from "./log-format.ts";
import { GroupLog } from "./log-group.ts";
import { readEntries } from "./log-read.ts";
import {
  assertReplayable,
  compactRecord,
  metaRecord,
  moveRecords,
  writeRecords,
} from "./log-records.ts";
import { applyRecord, type ReplayedLog, replayLog } from "./log-replay.ts";
import { type NewRecord, Segment } from "./log-segment.ts";

export interface LogStoreOptions {
  readonly disk: Disk;
  /** Folder of the segments; created when missing. */
  readonly path: string;
  readonly random: Random;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** A segment is closed once it is this long. Default 32 MiB. */
  readonly segmentBytes?: number;
  /** A group that holds old segments back is copied forward past this many. Default 8. */
  readonly segmentCountMax?: number;
}

/** Bytes of one batch; more waits for the next. */
const BATCH_BYTES_MAX = 16 * 1024 * 1024;
const DEFAULT_SEGMENT_BYTES = 32 * 1024 * 1024;
const DEFAULT_SEGMENT_COUNT = 8;
const FSYNC_BUCKETS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5];

/** Records after which a segment may have become useless. */
const FREEING = new Set<number>([RECORD_TYPES.compact, RECORD_TYPES.start, RECORD_TYPES.remove]);

interface Waiting {
  readonly records: readonly NewRecord[];
  readonly bytes: number;
  readonly done: Deferred<void>;
}

export class LogStore implements RaftLog {
  readonly #options: LogStoreOptions;
  readonly #groups: Map<number, GroupLog>;
  readonly #segments: Segment[];
  #lastBatch: number;
  #checksum: number;
  #queue: Waiting[] = [];
  readonly #notedStates = new Map<number, HardState>();
  #running: Promise<void> | undefined;
  #reclaimWanted = false;
  #freshSegment = false;
  #failure: StoreError | undefined;
  #closed = false;
  readonly #syncSeconds: Histogram;
  readonly #bytesGauge: Gauge;
  readonly #batches: Counter;

  private constructor(options: LogStoreOptions, replayed: ReplayedLog) {
    this.#options = options;
    this.#groups = replayed.groups;
    this.#segments = replayed.segments;
    this.#lastBatch = replayed.lastBatch;
    this.#checksum = replayed.lastChecksum;
    this.#freshSegment = replayed.segments.at(-1)?.end === SEGMENT_HEADER_BYTES;
    const { metrics } = options;
    this.#syncSeconds = metrics.histogram("raft_fsync_duration_seconds", {
      help: "Time to write and sync one batch of the Raft log.",
      buckets: FSYNC_BUCKETS,
    });
    this.#bytesGauge = metrics.gauge("raft_log_bytes", {
      help: "Bytes of all segments of the Raft log.",
    });
    this.#batches = metrics.counter("raft_log_batches_total", {
      help: "Batches written to the Raft log.",
    });
  }

  /**
   * Replays the log. Throws "corrupt" when something that was synced is missing or wrong (this
   * replica must not vote any more), "io" and "no-space" from the disk.
   */
  static async open(options: LogStoreOptions): Promise<LogStore> {
    const { disk, path, log } = options;
    if (!(await disk.exists(path))) {
      await disk.mkdir(path);
      const slash = path.lastIndexOf("/");
      await disk.syncDirectory(slash > 0 ? path.slice(0, slash) : slash === 0 ? "/" : ".");
    }
    const replayed = await replayLog(disk, path);
    if (replayed.cutBytes > 0) {
      log.warn("cut a torn tail off the Raft log", { path, bytes: replayed.cutBytes });
    }
    const store = new LogStore(options, replayed);
    if (replayed.segments.length === 0) await store.#addSegment();
    return store;
  }

  groups(): readonly number[] {
    return [...this.#groups.keys()].sort((a, b) => a - b);
  }

  state(groupId: number): GroupLogState | undefined {
    return this.#groups.get(groupId)?.state();
  }

  term(groupId: number, index: number): number | undefined {
    return this.#groups.get(groupId)?.term(index);
  }

  size(groupId: number): ReturnType<RaftLog["size"]> {
    const group = this.#groups.get(groupId);
    if (group === undefined) return { startIndex: 0, entryCount: 0, bytes: 0 };
    const { snapshotIndex: startIndex, entryCount, bytes } = group;
    return { startIndex, entryCount, bytes };
  }

  keepPoint(groupId: number, count: number, bytes: number): number {
    return present(this.#groups.get(groupId), "log of the group").keepPoint(count, bytes);
  }

  append(writes: readonly LogWrite[]): Promise<void> {
    return this.#enqueue(writes.flatMap(writeRecords));
  }

  noteHardState(groupId: number, hardState: HardState): void {
    this.#notedStates.set(groupId, hardState);
  }

  entries(range: {
    readonly groupId: number;
    readonly firstIndex: number;
    readonly lastIndex: number;
    readonly bytesMax: number;
  }): Promise<RaftEntry[]> {
    return readEntries(this.#groups.get(range.groupId), range);
  }

  async compact(groupId: number, index: number): Promise<void> {
    const group = present(this.#groups.get(groupId), "log of the group");
    if (index <= group.snapshotIndex) return;
    const term = present(group.term(index), "term at the cut");
    await this.#enqueue([compactRecord(groupId, index, term)]);
  }

  async remove(groupId: number): Promise<void> {
    const record = { type: RECORD_TYPES.remove, groupId, index: 0, term: 0 };
    await this.#enqueue([{ ...record, payload: new Uint8Array(0) }]);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    while (this.#running !== undefined) await this.#running;
    try {
      if (this.#failure === undefined) {
        if (this.#notedStates.size > 0) await this.#commit([]);
        await this.#seal();
        await this.#current().sync();
      }
    } finally {
      for (const segment of this.#segments) await segment.retire();
    }
  }

  #current(): Segment {
    return present(this.#segments.at(-1), "a segment");
  }

  #enqueue(records: readonly NewRecord[]): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#closed) return Promise.reject(new StoreError("unavailable", "the log is closed"));
    const bytes = records.reduce((sum, record) => sum + record.payload.byteLength, 0);
    const done = deferred<void>();
    this.#queue.push({ records, bytes, done });
    this.#running ??= this.#run();
    return done.promise;
  }

  async #run(): Promise<void> {
    // Lets everything that is asked for in this turn join the first batch.
    await Promise.resolve();
    await this.#drain();
    try {
      if (this.#failure === undefined) await this.#seal();
    } catch (error) {
      this.#fail(error);
    }
    this.#running = this.#queue.length > 0 && this.#failure === undefined ? this.#run() : undefined;
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0 && this.#failure === undefined) {
      const waiting = this.#takeBatch();
      try {
        await this.#commit(waiting.flatMap((one) => one.records));
        for (const one of waiting) one.done.resolve();
        if (this.#reclaimWanted) await this.#reclaim();
      } catch (error) {
        if (!isStoreError(error, "no-space")) this.#fail(error);
        for (const one of waiting) one.done.reject(this.#failure ?? error);
      }
    }
  }

  #takeBatch(): Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const waiting of this.#queue) {
      bytes += waiting.bytes;
      if (count > 0 && bytes > BATCH_BYTES_MAX) break;
      count += 1;
    }
    return this.#queue.splice(0, count);
  }

  /** Makes one batch durable, then lets it take effect. Throws "no-space" with nothing changed. */
  async #commit(records: readonly NewRecord[]): Promise<void> {
    const startedMs = this.#options.clock.monotonicMs();
    if (this.#current().end >= (this.#options.segmentBytes ?? DEFAULT_SEGMENT_BYTES)) {
      await this.#addSegment();
    }
    const noted = [...this.#notedStates].filter(([groupId]) => this.#groups.has(groupId));
    this.#notedStates.clear();
    const all: NewRecord[] = this.#freshSegment ? this.#metaRecords() : [];
    const metas = all.length;
    for (const [groupId, hardState] of noted) all.push(...writeRecords({ groupId, hardState }));
    for (const record of records) all.push(record);
    if (all.length === 0) return;
    assertReplayable(all, this.#groups);
    const segment = this.#current();
    const batch = segment.encode(all, this.#lastBatch + 1, this.#checksum);
    try {
      await segment.write(batch);
    } catch (error) {
      for (const [groupId, hardState] of noted) this.#notedStates.set(groupId, hardState);
      await segment.trim();
      throw error;
    }
    await segment.sync();
    this.#lastBatch += 1;
    this.#checksum = batch.checksum;
    this.#freshSegment = false;
    all.forEach((record, at) => {
      if (at >= metas) this.#effect(record, segment, present(batch.offsets[at], "offset"));
    });
    this.#batches.increment();
    this.#syncSeconds.observe((this.#options.clock.monotonicMs() - startedMs) / 1000);
  }

  #metaRecords(): NewRecord[] {
    return this.groups().map((id) => metaRecord(present(this.#groups.get(id), "group")));
  }

  #effect(record: NewRecord, segment: Segment, offset: number): void {
    const group = this.#groups.get(record.groupId);
    if (FREEING.has(record.type)) this.#reclaimWanted = true;
    if (record.type === RECORD_TYPES.remove) {
      this.#groups.delete(record.groupId);
    } else if (group === undefined) {
      assert(record.type === RECORD_TYPES.start, `log: group ${record.groupId} has no beginning`);
      const created = new GroupLog(record.groupId);
      created.start(record.index, record.term);
      this.#groups.set(record.groupId, created);
    } else {
      applyRecord(group, record, { segment, offset });
    }
  }

  /**
   * Writes, without a sync, that the last batch is durable: replay can then tell rot from a tear.
   */
  async #seal(): Promise<void> {
    const segment = this.#current();
    if (segment.dirty || this.#lastBatch === 0 || segment.end === SEGMENT_HEADER_BYTES) return;
    const payload = new Uint8Array(0);
    const record = {
      type: RECORD_TYPES.seal,
      groupId: 0,
      index: this.#lastBatch,
      term: 0,
      payload,
    };
    const seal = segment.encode([record], this.#lastBatch, this.#checksum);
    try {
      await segment.write(seal);
      this.#checksum = seal.checksum;
    } catch (error) {
      if (!isStoreError(error, "no-space")) throw error;
      await segment.trim();
    }
  }

  /** Creates the next segment, durable and empty, behind a fully synced one. */
  async #addSegment(): Promise<void> {
    const { disk, path, random } = this.#options;
    const last = this.#segments.at(-1);
    if (last?.dirty === true) await last.sync();
    const header = {
      number: (last?.number ?? 0) + 1,
      firstBatch: this.#lastBatch + 1,
      previousChecksum: this.#checksum,
      nonce: random.bytes(NONCE_BYTES),
    };
    const name = `${path}/${segmentName(header.number)}`;
    const file = await disk.open(name, "create");
    try {
      await file.write([encodeSegmentHeader(header)], 0);
      await file.datasync();
      await disk.syncDirectory(path);
    } catch (error) {
      await file.close();
      await disk.remove(name);
      // Its name must not come back once the segment before it is written further.
      await disk.syncDirectory(path);
      throw error;
    }
    this.#segments.push(new Segment({ path: name, file }, header, SEGMENT_HEADER_BYTES));
    this.#freshSegment = true;
    this.#reclaimWanted = true;
  }

  /** Removes the oldest segments that nobody needs; copies forward what holds too many back. */
  async #reclaim(): Promise<void> {
    this.#reclaimWanted = false;
    await this.#dropUnneeded();
    const allowed = this.#options.segmentCountMax ?? DEFAULT_SEGMENT_COUNT;
    if (this.#segments.length > allowed) {
      await this.#moveStragglers();
      await this.#dropUnneeded();
    }
    this.#bytesGauge.set(this.#segments.reduce((sum, segment) => sum + segment.end, 0));
  }

  async #dropUnneeded(): Promise<void> {
    const { disk, path } = this.#options;
    for (;;) {
      const oldest = present(this.#segments[0], "a segment");
      const needed =
        oldest === this.#current() ||
        (this.#segments.length === 2 && this.#freshSegment) ||
        [...this.#groups.values()].some((group) => group.oldestSegment === oldest);
      if (needed) return;
      await disk.remove(oldest.path);
      await disk.syncDirectory(path);
      this.#segments.shift();
      await oldest.retire();
    }
  }

  /**
   * Writes the whole log of groups that still need the oldest segment again, each in one batch.
   * Only when live bytes are less than half of all, so that the copying is paid for by what was
   * written.
   */
  async #moveStragglers(): Promise<void> {
    const groups = [...this.#groups.values()];
    const live = groups.reduce((sum, group) => sum + group.bytes, 0);
    const total = this.#segments.reduce((sum, segment) => sum + segment.end, 0);
    if (live * 2 > total) return;
    const oldest = this.#segments[0];
    for (const group of groups.filter((one) => one.oldestSegment === oldest)) {
      this.#options.log.info("copying a group's log forward", {
        group: group.groupId,
        entries: group.entryCount,
      });
      await this.#commit(await moveRecords(group));
    }
  }

  #fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    const code = isStoreError(error, "corrupt") ? "corrupt" : "io";
    this.#failure = new StoreError(code, "the Raft log failed", { cause: error });
    this.#options.log.error("the Raft log failed; it takes nothing more", error, {
      path: this.#options.path,
    });
    for (const waiting of this.#queue.splice(0)) waiting.done.reject(this.#failure);
  }
}
