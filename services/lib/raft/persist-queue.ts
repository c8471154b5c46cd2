// Makes one group's Readys durable in their order, those that queue up behind a running write
// together. Nothing is reported before it is durable. A full disk is waited out; any other failure
// is the log's end.
import { isStoreError } from "../base/errors.ts";
import type { Ready } from "./core.ts";
import type { LogWrite, RaftLog } from "./types.ts";

export interface PersistQueueDeps {
  readonly groupId: number;
  readonly log: RaftLog;
  readonly nowMs: () => number;
  /** Puts a received snapshot in place, state and log, durably. */
  readonly restore: (ready: Ready) => Promise<void>;
  /** These Readys, in order, are durable. */
  readonly persisted: (readys: readonly Ready[]) => void;
  /** The disk is full (true), or has room again (false). */
  readonly noSpace: (full: boolean) => void;
  /** A pause before a full disk is tried again. */
  readonly pause: () => Promise<void>;
  /** A restore failed: state and log are what they were, but the core runs ahead of them. */
  readonly restoreFailed: (error: unknown) => void;
  readonly failed: (error: unknown) => void;
}

export class PersistQueue {
  readonly #deps: PersistQueueDeps;
  #queue: Ready[] = [];
  #running: Promise<void> | undefined;
  #closed = false;
  #writingSinceMs: number | undefined;

  constructor(deps: PersistQueueDeps) {
    this.#deps = deps;
  }

  /** Readys that wait behind the one being written. */
  get queued(): number {
    return this.#queue.length;
  }

  /** When the write that runs was begun; undefined when none does. */
  get writingSinceMs(): number | undefined {
    return this.#writingSinceMs;
  }

  push(ready: Ready): void {
    if (this.#closed) return;
    this.#queue.push(ready);
    this.#running ??= this.#run();
  }

  /** Drops what waits; reports nothing any more. */
  close(): void {
    this.#closed = true;
    this.#queue = [];
  }

  /** Resolves once nothing is being written. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0 && !this.#closed) {
      const readys = this.#take();
      const [first] = readys;
      try {
        if (first?.snapshot !== undefined) await this.#deps.restore(first);
        else await this.#write(readys);
      } catch (error) {
        this.#reportFailure(error, first);
        break;
      }
      if (!this.#closed) this.#deps.persisted(readys);
    }
    this.#running = undefined;
  }

  #reportFailure(error: unknown, first: Ready | undefined): void {
    if (this.#closed) return;
    this.close();
    if (first?.snapshot !== undefined) this.#deps.restoreFailed(error);
    else this.#deps.failed(error);
  }

  /** A Ready with a snapshot alone, or all up to the next such. */
  #take(): Ready[] {
    const next = this.#queue.findIndex((ready) => ready.snapshot !== undefined);
    const count = next === 0 ? 1 : next < 0 ? this.#queue.length : next;
    return this.#queue.splice(0, count);
  }

  async #write(readys: readonly Ready[]): Promise<void> {
    const { groupId, log } = this.#deps;
    const needed = readys.some((ready) => ready.mustSync || ready.entries.length > 0);
    if (!needed) {
      const hardState = readys.findLast((ready) => ready.hardState !== undefined)?.hardState;
      if (hardState !== undefined) log.noteHardState(groupId, hardState);
      return;
    }
    const writes = readys.flatMap((ready) => toWrite(groupId, ready) ?? []);
    let full = false;
    while (!this.#closed) {
      try {
        this.#writingSinceMs = this.#deps.nowMs();
        await log.append(writes);
        if (full) this.#deps.noSpace(false);
        return;
      } catch (error) {
        if (!isStoreError(error, "no-space")) throw error;
        full = true;
        this.#deps.noSpace(true);
        await this.#deps.pause();
      } finally {
        this.#writingSinceMs = undefined;
      }
    }
  }
}

/** Entries before hard state: a commit index never points past the log. */
export function toWrite(groupId: number, { entries, hardState }: Ready): LogWrite | undefined {
  if (entries.length === 0 && hardState === undefined) return undefined;
  return {
    groupId,
    ...(entries.length > 0 ? { entries } : {}),
    ...(hardState === undefined ? {} : { hardState }),
  };
}
