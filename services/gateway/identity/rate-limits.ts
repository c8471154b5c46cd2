// Limits of users and of strangers at one gateway: requests and bytes a second of a user, failed
// proofs of an address. Requests over the limit are refused (SlowDown), bytes are paced: a stream
// waits its turn, and the streams of one user share the rate. Everything is bounded; whoever was
// quiet for a while is forgotten.

import { addressBlock } from "../../lib/base/ip-address.ts";
import type { Clock } from "../../lib/ports/clock.ts";
import type { Counter, Metrics } from "../../lib/ports/metrics.ts";
import { S3Error } from "../../lib/s3/errors.ts";

const USERS_MAX = 10_000;
const ADDRESSES_MAX = 10_000;
/** A user may use so much at once, as time's worth of the rate. */
const BURST_MS = 1000;
/** The longest single wait; more than that is waited in pieces, so that a stop is noticed. */
const WAIT_MS_MAX = 60_000;

export interface UserRates {
  /** 0: no limit. */
  readonly requestsPerSecond: number;
  readonly uploadBytesPerSecond: number;
  readonly downloadBytesPerSecond: number;
}

/** A rate as the time at which everything taken so far will have been earned. */
class Rate {
  #earnedMs = 0;

  /** Milliseconds until `amount` may be taken; takes nothing. */
  waitMs(nowMs: number, amount: number, perSecond: number): number {
    const costMs = (amount * 1000) / perSecond;
    const earnedMs = Math.max(this.#earnedMs, nowMs - BURST_MS) + costMs;
    return Math.max(0, earnedMs - nowMs);
  }

  take(nowMs: number, amount: number, perSecond: number): void {
    const costMs = (amount * 1000) / perSecond;
    this.#earnedMs = Math.max(this.#earnedMs, nowMs - BURST_MS) + costMs;
  }
}

interface UserState {
  readonly requests: Rate;
  readonly upload: Rate;
  readonly download: Rate;
}

/** Waits until so many more bytes may go. Throws StoreError "aborted" when the signal fires. */
export type BytePace = (bytes: number) => Promise<void>;

export interface RatePaces {
  /** Undefined: as fast as they come. */
  readonly upload: BytePace | undefined;
  readonly download: BytePace | undefined;
}

export class UserRateLimits {
  readonly #clock: Clock;
  readonly #throttled: Counter;
  readonly #users = new Map<string, UserState>();

  constructor(clock: Clock, metrics: Metrics) {
    this.#clock = clock;
    this.#throttled = metrics.counter("user_rate_limited_total", {
      help: "Requests refused, and pieces of bodies held up, by limits of their users.",
      labels: ["limit"],
    });
  }

  /**
   * Counts a request of the user, and gives what paces its bodies. Throws S3Error SlowDown.
   */
  admit(userId: string, rates: UserRates, signal: AbortSignal): RatePaces {
    const { requestsPerSecond, uploadBytesPerSecond, downloadBytesPerSecond } = rates;
    if (requestsPerSecond + uploadBytesPerSecond + downloadBytesPerSecond === 0) {
      return { upload: undefined, download: undefined };
    }
    const state = this.#stateOf(userId);
    if (requestsPerSecond > 0) this.#countRequest(state.requests, requestsPerSecond);
    const pace = (limit: "upload" | "download", perSecond: number): BytePace | undefined =>
      perSecond === 0
        ? undefined
        : (bytes) => this.#paced(state[limit], { limit, bytes, perSecond, signal });
    return {
      upload: pace("upload", uploadBytesPerSecond),
      download: pace("download", downloadBytesPerSecond),
    };
  }

  #countRequest(rate: Rate, perSecond: number): void {
    const nowMs = this.#clock.monotonicMs();
    if (rate.waitMs(nowMs, 1, perSecond) > 0) {
      this.#throttled.increment({ limit: "requests" });
      throw new S3Error("SlowDown");
    }
    rate.take(nowMs, 1, perSecond);
  }

  async #paced(
    rate: Rate,
    how: {
      readonly limit: string;
      readonly bytes: number;
      readonly perSecond: number;
      readonly signal: AbortSignal;
    },
  ): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    let waitMs = rate.waitMs(nowMs, how.bytes, how.perSecond);
    // Taken before the wait: whoever comes next waits behind this piece.
    rate.take(nowMs, how.bytes, how.perSecond);
    if (waitMs > 0) this.#throttled.increment({ limit: how.limit });
    while (waitMs > 0) {
      const piece = Math.min(waitMs, WAIT_MS_MAX);
      await this.#clock.sleep(piece, how.signal);
      waitMs -= piece;
    }
  }

  #stateOf(userId: string): UserState {
    const known = this.#users.get(userId);
    const state = known ?? { requests: new Rate(), upload: new Rate(), download: new Rate() };
    this.#users.delete(userId);
    this.#users.set(userId, state);
    if (this.#users.size > USERS_MAX) this.#forgetOldest();
    return state;
  }

  /** The one that asked longest ago; its debts are forgotten with it. */
  #forgetOldest(): void {
    for (const oldest of this.#users.keys()) {
      this.#users.delete(oldest);
      return;
    }
  }
}

export interface FailureLimit {
  /** Failures in a row, within the time, after which the address is refused. */
  readonly failuresMax: number;
  readonly windowMs: number;
}

const SIGN_IN_LIMIT: FailureLimit = { failuresMax: 10, windowMs: 300_000 };

/** Counts failed sign-ins by address (IPv6: by /64), so that guessing takes for ever. */
export class FailureLimiter {
  readonly #clock: Clock;
  readonly #limit: FailureLimit;
  readonly #refused: Counter;
  /** When each failure happened, oldest first. */
  readonly #failures = new Map<string, number[]>();

  constructor(clock: Clock, metrics: Metrics, limit: FailureLimit = SIGN_IN_LIMIT) {
    this.#clock = clock;
    this.#limit = limit;
    this.#refused = metrics.counter("sign_in_refused_total", {
      help: "Sign-ins refused unseen, because too many failed from that address.",
    });
  }

  /** Milliseconds until the address may try again; 0: now. */
  waitMs(remoteAddress: string): number {
    const times = this.#recent(addressBlock(remoteAddress));
    const { failuresMax, windowMs } = this.#limit;
    const [oldest] = times.slice(-failuresMax);
    if (times.length < failuresMax || oldest === undefined) return 0;
    this.#refused.increment();
    return oldest + windowMs - this.#clock.monotonicMs();
  }

  failed(remoteAddress: string): void {
    const block = addressBlock(remoteAddress);
    const times = [...this.#recent(block), this.#clock.monotonicMs()];
    this.#failures.delete(block);
    this.#failures.set(block, times.slice(-this.#limit.failuresMax));
    if (this.#failures.size <= ADDRESSES_MAX) return;
    for (const oldest of this.#failures.keys()) {
      this.#failures.delete(oldest);
      return;
    }
  }

  #recent(block: string): number[] {
    const since = this.#clock.monotonicMs() - this.#limit.windowMs;
    return (this.#failures.get(block) ?? []).filter((at) => at > since);
  }
}
