// Keeps a group's log short: what all followers but the slowest need stays, what the state could
// lose in a power cut stays, what a snapshot on its way continues from stays.
import { isStoreError, StoreError } from "../base/errors.ts";
import type { Log } from "../ports/log.ts";
import type { RaftCore } from "./core.ts";
import type { LogCut, RaftLog } from "./types.ts";

export interface LogCutterDeps {
  readonly groupId: number;
  readonly log: RaftLog;
  readonly core: RaftCore;
  readonly logger: Log;
  /** Kept in the log for followers that lag. */
  readonly keepEntries: number;
  readonly keepBytes: number;
  /** Makes the state power-safe; resolves with its index. */
  readonly flush: () => Promise<number>;
  /** A held snapshot's index: entries after it must stay. */
  readonly heldIndex: () => number | undefined;
  readonly stateFailed: (error: unknown) => void;
  readonly logFailed: (error: unknown) => void;
}

/** Cutting begins only when this much more than asked for is there. */
const SLACK = 1.25;

export class LogCutter {
  readonly #deps: LogCutterDeps;
  #running: Promise<unknown> | undefined;
  #closed = false;
  #cutIndex = 0;

  constructor(deps: LogCutterDeps) {
    this.#deps = deps;
  }

  /** The core has entries after this one only. */
  get cutIndex(): number {
    return this.#cutIndex;
  }

  close(): void {
    this.#closed = true;
  }

  /** Cuts when the log has grown too long; never more than one at a time. */
  check(): void {
    const { log, groupId, keepEntries, keepBytes } = this.#deps;
    const { entryCount, bytes } = log.size(groupId);
    if (
      this.#running !== undefined ||
      (entryCount <= keepEntries * SLACK && bytes <= keepBytes * SLACK)
    )
      return;
    void this.#alone(() => this.#cut(() => log.keepPoint(groupId, keepEntries, keepBytes)));
  }

  /**
   * Flushes, and cuts up to `wanted()`, asked after the flush, however short the log is.
   * Throws "unavailable" when the replica is closed or the state could not be flushed.
   */
  async cutNow(wanted: () => number): Promise<LogCut> {
    const { log, groupId } = this.#deps;
    while (this.#running !== undefined) await this.#running;
    const before = log.size(groupId);
    const flushedIndex = await this.#alone(() => this.#cut(wanted));
    if (flushedIndex === undefined) throw new StoreError("unavailable", "the replica is closed");
    const { startIndex, bytes } = log.size(groupId);
    const freedBytes = Math.max(0, before.bytes - bytes);
    return { flushedIndex, startIndex, freedEntries: startIndex - before.startIndex, freedBytes };
  }

  async #alone<T>(work: () => Promise<T>): Promise<T> {
    const running = work();
    this.#running = running;
    try {
      return await running;
    } finally {
      this.#running = undefined;
    }
  }

  /** Resolves with what was flushed; undefined when the replica ended meanwhile. */
  async #cut(wanted: () => number): Promise<number | undefined> {
    const { log, core, groupId } = this.#deps;
    let flushed = 0;
    try {
      flushed = await this.#deps.flush();
    } catch (error) {
      if (!this.#closed) this.#deps.stateFailed(error);
      return undefined;
    }
    if (this.#closed) return undefined;
    const index = Math.min(flushed, wanted(), this.#deps.heldIndex() ?? flushed);
    if (index <= log.size(groupId).startIndex) return flushed;
    try {
      core.compactTo(groupId, index);
      this.#cutIndex = index;
      await log.compact(groupId, index);
    } catch (error) {
      if (this.#closed) return undefined;
      if (!isStoreError(error, "no-space")) this.#deps.logFailed(error);
      else this.#deps.logger.warn("no room to cut the Raft log", { group: groupId });
    }
    return flushed;
  }
}
