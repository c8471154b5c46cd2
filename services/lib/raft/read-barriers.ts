// Linearizable read points of one group. Calls gathered since the last round share the next: the
// read index is asked for after the call began, never before, and the call resolves once that index
// is applied here. No clock decides anything but when to ask again and when to give up.
import { type Deferred, deferred } from "../base/bounded.ts";
import { StoreError } from "../base/errors.ts";
import type { ReadIndexResult } from "./core.ts";
import type { CallLimits } from "./types.ts";

interface Barrier {
  readonly done: Deferred<void>;
  readonly deadlineMs: number;
  readonly signal: AbortSignal | undefined;
  settled: boolean;
  onAbort: (() => void) | undefined;
}

interface Round {
  readonly barriers: readonly Barrier[];
  readonly askedMs: number;
}

/** Rounds on their way at once; more calls gather for the next. */
const ROUNDS_MAX = 8;
const BARRIERS_MAX = 65_536;

export class ReadBarriers {
  /** A round without an answer for this long is asked again. */
  readonly #retryMs: number;
  #waiting: Barrier[] = [];
  readonly #rounds = new Map<number, Round>();
  #confirmed: { readonly index: number; readonly barriers: readonly Barrier[] }[] = [];
  #counter = 0;

  constructor(retryMs: number) {
    this.#retryMs = retryMs;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  add({ deadlineMs, signal }: CallLimits, nowMs: number): Promise<void> {
    if (this.#waiting.length >= BARRIERS_MAX) {
      return Promise.reject(new StoreError("exhausted", "too many reads wait"));
    }
    const barrier: Barrier = {
      done: deferred<void>(),
      deadlineMs: nowMs + deadlineMs,
      signal,
      settled: false,
      onAbort: undefined,
    };
    const abort = (): void => {
      settle(barrier, new StoreError("aborted", "the caller gave up", { cause: signal?.reason }));
    };
    if (signal?.aborted === true) {
      abort();
    } else if (signal !== undefined) {
      barrier.onAbort = abort;
      signal.addEventListener("abort", abort, { once: true });
    }
    if (!barrier.settled) this.#waiting.push(barrier);
    return barrier.done.promise;
  }

  /** Starts a round for all that wait, if `ask` can. */
  flush(ask: (context: Uint8Array) => ReadIndexResult, nowMs: number): void {
    this.#waiting = this.#waiting.filter((barrier) => !barrier.settled);
    if (this.#waiting.length === 0 || this.#rounds.size >= ROUNDS_MAX) return;
    this.#counter += 1;
    if (ask(encodeCounter(this.#counter)) !== "asked") return;
    this.#rounds.set(this.#counter, { barriers: this.#waiting, askedMs: nowMs });
    this.#waiting = [];
  }

  /** The core answered: reads of that round may see the state at `index`. */
  answered(context: Uint8Array, index: number, appliedIndex: number): void {
    const counter = decodeCounter(context);
    const round = this.#rounds.get(counter);
    if (round === undefined) return;
    this.#rounds.delete(counter);
    this.#confirmed.push({ index, barriers: round.barriers });
    this.applied(appliedIndex);
  }

  applied(appliedIndex: number): void {
    if (this.#confirmed.length === 0) return;
    const ready = this.#confirmed.filter((one) => one.index <= appliedIndex);
    this.#confirmed = this.#confirmed.filter((one) => one.index > appliedIndex);
    for (const { barriers } of ready) for (const barrier of barriers) settle(barrier);
  }

  /** Gives up what is overdue and puts rounds without an answer back in line. */
  expire(nowMs: number): void {
    for (const [counter, round] of [...this.#rounds]) {
      if (nowMs - round.askedMs < this.#retryMs) continue;
      this.#rounds.delete(counter);
      this.#waiting = [...round.barriers, ...this.#waiting];
    }
    const confirmed = this.#confirmed.flatMap((one) => one.barriers);
    for (const barrier of [...this.#waiting, ...confirmed]) {
      if (barrier.deadlineMs <= nowMs) {
        settle(barrier, new StoreError("timeout", "no linearizable read point in time"));
      }
    }
    this.#waiting = this.#waiting.filter((barrier) => !barrier.settled);
  }

  close(error: StoreError): void {
    const asked = [...this.#rounds.values()].flatMap((round) => round.barriers);
    const confirmed = this.#confirmed.flatMap((one) => one.barriers);
    for (const barrier of [...this.#waiting, ...asked, ...confirmed]) settle(barrier, error);
    this.#waiting = [];
    this.#rounds.clear();
    this.#confirmed = [];
  }
}

function settle(barrier: Barrier, error?: StoreError): void {
  if (barrier.settled) return;
  barrier.settled = true;
  if (barrier.onAbort !== undefined) barrier.signal?.removeEventListener("abort", barrier.onAbort);
  if (error === undefined) barrier.done.resolve();
  else barrier.done.reject(error);
}

function encodeCounter(counter: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(counter));
  return bytes;
}

function decodeCounter(context: Uint8Array): number {
  const buffer = Buffer.from(context.buffer, context.byteOffset, context.byteLength);
  return Number(buffer.readBigUInt64LE(0));
}
