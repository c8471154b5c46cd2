// One call to the leader of a metadata group, with all its attempts. A replica that is silent for
// a moment (its campus was cut off, its machine stands still) is not waited for: the next one is
// asked as well, and whoever answers first counts. Commands carry an id, so asking two applies
// once.
import { StoreError, toStoreError } from "../base/errors.ts";
import type { Clock } from "../ports/clock.ts";
import type { Random } from "../ports/random.ts";
import type { MetadataCallOptions } from "./metadata-client.ts";

export interface LeaderSearchDeps {
  readonly clock: Clock;
  readonly random: Random;
  /** Where to ask next, none of `asked`; undefined when all are asked already. */
  readonly next: (asked: ReadonlySet<string>) => string | undefined;
  /** Who failed, and how; returns a leader that is known now and may be asked at once. */
  readonly noteFailure: (address: string, error: StoreError) => string | undefined;
}

export interface LeaderSearchTimes {
  /** For the call with all its attempts. Milliseconds. */
  readonly deadlineMs: number;
  /** For one attempt. Milliseconds. */
  readonly attemptMs: number;
  /** Silence after which another replica is asked too. Milliseconds. */
  readonly hedgeMs: number;
}

export interface CallLimits {
  readonly deadlineMs: number;
  readonly signal?: AbortSignal;
  readonly requestId?: string;
}

export interface Found<T> {
  readonly address: string;
  readonly result: T;
}

type Ended<T> =
  | { readonly kind: "answer"; readonly found: Found<T> }
  | { readonly kind: "failure"; readonly address: string; readonly error: StoreError };

const BACKOFF_MIN_MS = 20;
const BACKOFF_MAX_MS = 400;

/** What another replica, or the same one later, may answer better. */
const RETRY_CODES = new Set(["not-leader", "unavailable", "timeout", "corrupt", "io", "exhausted"]);

export class LeaderSearch<T> {
  readonly #deps: LeaderSearchDeps;
  readonly #times: LeaderSearchTimes;
  readonly #options: MetadataCallOptions;
  readonly #attempt: (address: string, limits: CallLimits) => Promise<T>;
  readonly #endsAt: number;
  /** Attempts under way by address. Those that lose run out by their own deadline. */
  readonly #pending = new Map<string, Promise<Ended<T>>>();
  #backoffMs = BACKOFF_MIN_MS;
  #mayBeDone = false;
  #last: StoreError | undefined;

  constructor(
    deps: LeaderSearchDeps,
    times: LeaderSearchTimes,
    call: {
      readonly options: MetadataCallOptions;
      readonly attempt: (address: string, limits: CallLimits) => Promise<T>;
    },
  ) {
    this.#deps = deps;
    this.#times = times;
    this.#options = call.options;
    this.#attempt = call.attempt;
    this.#endsAt = deps.clock.monotonicMs() + times.deadlineMs;
  }

  /**
   * The first answer. Throws what no other replica would answer better; "timeout" when the deadline
   * passed and an attempt may have done it, else "unavailable".
   */
  async run(): Promise<Found<T>> {
    const { hedgeMs } = this.#times;
    this.#begin(undefined);
    let waitMs = hedgeMs;
    for (;;) {
      const ended = await this.#firstEnded(waitMs);
      if (ended?.kind === "answer") return ended.found;
      const hint = ended === undefined ? undefined : this.#noteFailure(ended);
      if (this.#leftMs() <= 0) throw this.#gaveUp();
      if (ended === undefined || hint !== undefined) {
        this.#begin(hint);
        waitMs = hedgeMs;
      } else {
        waitMs = this.#nextPauseMs();
      }
    }
  }

  /** Asks one more replica, where there is one that is not being asked. */
  #begin(hint: string | undefined): void {
    const asked = new Set(this.#pending.keys());
    const address = hint !== undefined && !asked.has(hint) ? hint : this.#deps.next(asked);
    if (address === undefined) return;
    const { signal, requestId } = this.#options;
    const attempt = this.#attempt(address, {
      deadlineMs: Math.max(1, Math.min(this.#leftMs(), this.#times.attemptMs)),
      ...(signal === undefined ? {} : { signal }),
      ...(requestId === undefined ? {} : { requestId }),
    });
    const ended = attempt.then(
      (result): Ended<T> => ({ kind: "answer", found: { address, result } }),
      (thrown: unknown): Ended<T> => {
        return { kind: "failure", address, error: toStoreError(thrown, "unavailable") };
      },
    );
    this.#pending.set(address, ended);
  }

  /** Undefined when none ended for so long. */
  async #firstEnded(ms: number): Promise<Ended<T> | undefined> {
    const { clock } = this.#deps;
    const waitMs = Math.max(1, Math.min(ms, this.#leftMs()));
    if (this.#pending.size === 0) {
      await clock.sleep(waitMs, this.#options.signal);
      return undefined;
    }
    const { promise: passed, resolve } = Promise.withResolvers<undefined>();
    const timer = clock.after(waitMs, () => resolve(undefined));
    try {
      return await Promise.race([...this.#pending.values(), passed]);
    } finally {
      timer.cancel();
    }
  }

  /** A leader that may be asked at once. Throws what no other replica would answer better. */
  #noteFailure(ended: Extract<Ended<T>, { readonly kind: "failure" }>): string | undefined {
    const { address, error } = ended;
    this.#pending.delete(address);
    if (!RETRY_CODES.has(error.code)) throw error;
    this.#last = error;
    this.#mayBeDone ||= error.code === "timeout";
    const hint = this.#deps.noteFailure(address, error);
    return hint === undefined || this.#pending.has(hint) ? undefined : hint;
  }

  /** Throws when the deadline comes first. */
  #nextPauseMs(): number {
    const backoffMs = this.#backoffMs;
    if (this.#pending.size === 0 && this.#leftMs() <= backoffMs) throw this.#gaveUp();
    this.#backoffMs = Math.min(BACKOFF_MAX_MS, backoffMs * 2);
    return backoffMs + this.#deps.random.below(backoffMs);
  }

  #leftMs(): number {
    return this.#endsAt - this.#deps.clock.monotonicMs();
  }

  #gaveUp(): StoreError {
    const isOpen = this.#mayBeDone || this.#pending.size > 0;
    const message = this.#last?.message ?? "no replica was asked";
    return new StoreError(isOpen ? "timeout" : "unavailable", message, { cause: this.#last });
  }
}
