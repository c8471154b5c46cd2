// Figures of a benchmark: how many operations of each kind, how long they took, what failed.
// Latencies go into buckets a hundredth wide each, so that a run of any length takes little memory;
// a percentile is the upper edge of its bucket: at most 1 % above the truth, never below it.
const WIDTH = Math.log(1.01);
/** Shorter ones count as this. */
const LEAST_MS = 0.01;
const REASONS_MAX = 20;

export class Latencies {
  readonly #buckets = new Map<number, number>();
  #count = 0;
  #longestMs = 0;

  add(ms: number): void {
    const bucket = Math.ceil(Math.log(Math.max(ms, LEAST_MS)) / WIDTH);
    this.#buckets.set(bucket, (this.#buckets.get(bucket) ?? 0) + 1);
    this.#count += 1;
    this.#longestMs = Math.max(this.#longestMs, ms);
  }

  get count(): number {
    return this.#count;
  }

  get longestMs(): number {
    return this.#longestMs;
  }

  /** The time within which this share (0 to 1) of the operations ended; 0 when there is none. */
  percentileMs(share: number): number {
    const wanted = Math.max(1, Math.ceil(this.#count * share));
    let seen = 0;
    for (const bucket of [...this.#buckets.keys()].sort((a, b) => a - b)) {
      seen += this.#buckets.get(bucket) ?? 0;
      if (seen >= wanted) return Math.min(Math.exp(bucket * WIDTH), this.#longestMs);
    }
    return 0;
  }
}

export interface Figures {
  readonly operation: string;
  readonly count: number;
  readonly errors: number;
  /** Attempts beyond the first, which the client made by itself. */
  readonly retries: number;
  readonly operationsPerSecond: number;
  readonly bytesPerSecond: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

export interface Done {
  readonly ms: number;
  readonly bytes: number;
  readonly retries: number;
}

/** One kind of operation. Only what succeeded counts for rates and latencies. */
export class Tally {
  readonly operation: string;
  readonly #latencies = new Latencies();
  #bytes = 0;
  #errors = 0;
  #retries = 0;

  constructor(operation: string) {
    this.operation = operation;
  }

  done({ ms, bytes, retries }: Done): void {
    this.#latencies.add(ms);
    this.#bytes += bytes;
    this.#retries += retries;
  }

  failed(): void {
    this.#errors += 1;
  }

  figures(seconds: number): Figures {
    const per = (amount: number): number => (seconds > 0 ? amount / seconds : 0);
    const { count } = this.#latencies;
    return {
      operation: this.operation,
      count,
      errors: this.#errors,
      retries: this.#retries,
      operationsPerSecond: rounded(per(count)),
      bytesPerSecond: Math.round(per(this.#bytes)),
      p50Ms: rounded(this.#latencies.percentileMs(0.5)),
      p90Ms: rounded(this.#latencies.percentileMs(0.9)),
      p99Ms: rounded(this.#latencies.percentileMs(0.99)),
      maxMs: rounded(this.#latencies.longestMs),
    };
  }
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}

/** Why operations failed, each reason once with how often; further reasons are only counted. */
export class Reasons {
  readonly #counts = new Map<string, number>();

  add(reason: string): void {
    const isNew = !this.#counts.has(reason);
    const name = isNew && this.#counts.size >= REASONS_MAX ? "other reasons" : reason;
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }

  list(): { readonly reason: string; readonly count: number }[] {
    const all = [...this.#counts].map(([reason, count]) => ({ reason, count }));
    return all.sort((first, second) => second.count - first.count);
  }
}
