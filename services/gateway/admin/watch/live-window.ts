// The last fifteen minutes of this gateway second by second: requests, errors, bytes, latencies,
// and by how much the event loop was late. Percentiles come from a histogram whose bounds grow by a
// quarter, so that they are right to 12 %. Bounded: 900 seconds of 64 counters.
import type { Clock, Timer } from "../../../lib/ports/clock.ts";
import type { ObservedRequest, RequestObserver } from "../../observer.ts";

export const WINDOW_SECONDS = 900;
const SECOND_MS = 1000;
const BUCKETS = 64;
const FIRST_BOUND_MS = 0.25;
const GROWTH = 1.25;

export interface LiveSecond {
  /** Seconds since 1970. */
  readonly second: number;
  readonly requests: number;
  /** Answers from 500 on, and requests that broke off. */
  readonly errors: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly eventLoopLagMs: number;
}

interface Counting {
  requests: number;
  errors: number;
  bytesIn: number;
  bytesOut: number;
  readonly histogram: Uint32Array;
}

function emptyCounting(): Counting {
  return {
    requests: 0,
    errors: 0,
    bytesIn: 0,
    bytesOut: 0,
    histogram: new Uint32Array(BUCKETS),
  };
}

export class LiveWindow implements RequestObserver {
  readonly #clock: Clock;
  #seconds: LiveSecond[] = [];
  #counting = emptyCounting();
  #timer: Timer | undefined;
  #dueMs = 0;
  readonly #waiting = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  start(): void {
    this.#dueMs = this.#clock.monotonicMs() + SECOND_MS;
    this.#timer = this.#clock.after(SECOND_MS, () => this.#turn());
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#wake();
  }

  observe(request: ObservedRequest): void {
    const counting = this.#counting;
    counting.requests += 1;
    if (request.status >= 500 || request.status === 0) counting.errors += 1;
    counting.bytesIn += request.receivedBytes;
    counting.bytesOut += request.sentBytes;
    const at = bucketOf(request.seconds * 1000);
    counting.histogram[at] = (counting.histogram[at] ?? 0) + 1;
  }

  /** Oldest first; those after `second` only. */
  after(second: number): readonly LiveSecond[] {
    return this.#seconds.slice(-WINDOW_SECONDS).filter((entry) => entry.second > second);
  }

  /** Resolves at the end of the second that runs, or when the window stops or `signal` fires. */
  async next(signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.#timer === undefined) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.add(resolve);
    signal.addEventListener("abort", () => resolve(), { once: true });
    try {
      await promise;
    } finally {
      this.#waiting.delete(resolve);
    }
  }

  get isRunning(): boolean {
    return this.#timer !== undefined;
  }

  #turn(): void {
    const nowMs = this.#clock.monotonicMs();
    const lagMs = Math.max(0, nowMs - this.#dueMs);
    const { requests, errors, bytesIn, bytesOut, histogram } = this.#counting;
    this.#counting = emptyCounting();
    this.#seconds.push({
      second: Math.floor(this.#clock.wallMs() / SECOND_MS),
      requests,
      errors,
      bytesIn,
      bytesOut,
      p50Ms: percentile(histogram, requests, 0.5),
      p99Ms: percentile(histogram, requests, 0.99),
      eventLoopLagMs: Math.round(lagMs * 10) / 10,
    });
    if (this.#seconds.length >= 2 * WINDOW_SECONDS) {
      this.#seconds = this.#seconds.slice(-WINDOW_SECONDS);
    }
    // From now on, not from when it was due: a loop that stood still does not catch up in a burst.
    this.#dueMs = nowMs + SECOND_MS;
    this.#timer = this.#clock.after(SECOND_MS, () => this.#turn());
    this.#wake();
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
  }
}

function bucketOf(ms: number): number {
  if (ms <= FIRST_BOUND_MS) return 0;
  const at = Math.ceil(Math.log(ms / FIRST_BOUND_MS) / Math.log(GROWTH));
  return Math.min(BUCKETS - 1, at);
}

/** The middle of the bucket in which that share of all requests lies; 0 without requests. */
function percentile(histogram: Uint32Array, total: number, share: number): number {
  if (total === 0) return 0;
  const wanted = Math.ceil(total * share);
  let seen = 0;
  for (const [at, count] of histogram.entries()) {
    seen += count;
    if (seen >= wanted) return roundMs(FIRST_BOUND_MS * GROWTH ** (at - 0.5));
  }
  return roundMs(FIRST_BOUND_MS * GROWTH ** BUCKETS);
}

function roundMs(ms: number): number {
  return ms < 10 ? Math.round(ms * 100) / 100 : Math.round(ms);
}
