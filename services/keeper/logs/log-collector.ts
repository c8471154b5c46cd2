// Gathers access log lines by bucket and writes them as objects of the bucket's log target. An
// object's name comes from its first entry, so that writing it again after a crash replaces it; its
// entries are finished in one step, after it is committed.
import { toSafeNumber } from "../../lib/base/bytes.ts";
import type { OutboxEntry } from "../../lib/gen/dolium/record/v1/group_pb.ts";
import { type BucketCatalog, settingOf } from "../buckets/bucket-catalog.ts";
import type { KeeperDeps } from "../deps.ts";
import type { GroupOutbox } from "../outbox/group-outbox.ts";
import { cutBatches, type LogBatch, type LogCuts, type LogEntry } from "./log-batches.ts";
import type { LogMetrics } from "./log-metrics.ts";
import { writeLogObject } from "./log-object.ts";

/** Lines held at once; past it open batches are written early. */
const HELD_BYTES_MAX = 64 * 1024 * 1024;
const ENTRIES_MAX = 10_000;

interface Source {
  readonly outbox: GroupOutbox;
  readonly bucketId: number;
  entries: LogEntry[];
}

export class LogCollector {
  readonly #deps: KeeperDeps;
  readonly #catalog: BucketCatalog;
  readonly #metrics: LogMetrics;
  readonly #sources = new Map<string, Source>();
  #heldBytes = 0;

  constructor(deps: KeeperDeps, catalog: BucketCatalog, metrics: LogMetrics) {
    this.#deps = deps;
    this.#catalog = catalog;
    this.#metrics = metrics;
  }

  /** Entries of a group come in the order of their sequences. */
  add(outbox: GroupOutbox, entry: OutboxEntry): void {
    const { bucketId, sequence, kind } = entry;
    if (kind.case !== "accessLog") return;
    const name = `${outbox.groupId}/${bucketId}`;
    const source = this.#sources.get(name) ?? { outbox, bucketId, entries: [] };
    this.#sources.set(name, source);
    const { lines } = kind.value;
    const bytes = lines.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0);
    source.entries.push({ sequence, timeMs: toSafeNumber(entry.timeMs), lines, bytes });
    this.#heldBytes += bytes;
  }

  /** Writes what is complete. What cannot be written stays for the next round. */
  async round(signal: AbortSignal): Promise<void> {
    const { clock, accessLogs } = this.#deps;
    const cuts: LogCuts = { ...accessLogs, entriesMax: ENTRIES_MAX };
    for (const [name, source] of this.#sources) {
      for (const batch of cutBatches(source.entries, cuts, clock.wallMs())) {
        if (signal.aborted) return;
        if (!batch.closed && this.#heldBytes < HELD_BYTES_MAX) break;
        if (!(await this.#carryOut(source, batch, signal))) break;
        const { length } = batch.entries;
        source.entries = source.entries.slice(length);
        this.#heldBytes -= batch.entries.reduce((sum, { bytes }) => sum + bytes, 0);
      }
      if (source.entries.length === 0) this.#sources.delete(name);
    }
  }

  /** True when the entries are gone from the outbox. */
  async #carryOut(source: Source, batch: LogBatch, signal: AbortSignal): Promise<boolean> {
    const { log, clock, accessLogs } = this.#deps;
    const { outbox, bucketId } = source;
    const { entries } = batch;
    const lineCount = entries.reduce((sum, { lines }) => sum + lines.length, 0);
    try {
      const isWritten = await this.#write(source, entries, signal);
      if (isWritten) this.#metrics.objects.increment();
      (isWritten ? this.#metrics.lines : this.#metrics.dropped).increment({}, lineCount);
    } catch (error) {
      if (signal.aborted) return false;
      this.#metrics.failures.increment();
      log.warn("access log not written", { bucketId, lines: lineCount, reason: String(error) });
      const newestMs = entries.at(-1)?.timeMs ?? 0;
      if (clock.wallMs() - newestMs < accessLogs.giveUpAfterMs) return false;
      this.#metrics.dropped.increment({}, lineCount);
    }
    return this.#finish(outbox, entries);
  }

  async #finish(outbox: GroupOutbox, entries: readonly LogEntry[]): Promise<boolean> {
    try {
      await outbox.finish(entries.map(({ sequence }) => sequence));
      return true;
    } catch (error) {
      // They are written again, under the same name.
      const { groupId } = outbox;
      this.#deps.log.warn("access log not finished", { groupId, reason: String(error) });
      return false;
    }
  }

  /** False when the bucket is gone, or keeps no log any more. */
  async #write(
    { outbox, bucketId }: Source,
    entries: readonly LogEntry[],
    signal: AbortSignal,
  ): Promise<boolean> {
    const bucket = await this.#catalog.find(bucketId, this.#deps.clock.monotonicMs());
    const document = bucket === undefined ? undefined : settingOf(bucket, "logging");
    if (bucket === undefined || document === undefined) return false;
    const source = { groupId: outbox.groupId, bucket, document };
    return writeLogObject(this.#deps, { source, entries, signal });
  }
}
