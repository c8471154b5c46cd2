// Keeps a group's log short: what all followers but the slowest need stays, what the state could
// lose in a power cut stays, what a snapshot on its way continues from stays.
import { isStoreError } from "../base/errors.ts";
import type { Log } from "../ports/log.ts";
import type { RaftCore } from "./core.ts";
import type { RaftLog } from "./types.ts";

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
  #running = false;
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
    if (this.#running || (entryCount <= keepEntries * SLACK && bytes <= keepBytes * SLACK)) return;
    this.#running = true;
    void this.#cut().finally(() => {
      this.#running = false;
    });
  }

  async #cut(): Promise<void> {
    const { log, core, groupId, keepEntries, keepBytes } = this.#deps;
    let flushed = 0;
    try {
      flushed = await this.#deps.flush();
    } catch (error) {
      if (!this.#closed) this.#deps.stateFailed(error);
      return;
    }
    if (this.#closed) return;
    const wanted = log.keepPoint(groupId, keepEntries, keepBytes);
    const index = Math.min(flushed, wanted, this.#deps.heldIndex() ?? flushed);
    if (index <= log.size(groupId).startIndex) return;
    try {
      core.compactTo(groupId, index);
      this.#cutIndex = index;
      await log.compact(groupId, index);
    } catch (error) {
      if (this.#closed) return;
      if (!isStoreError(error, "no-space")) this.#deps.logFailed(error);
      else this.#deps.logger.warn("no room to cut the Raft log", { group: groupId });
    }
  }
}
