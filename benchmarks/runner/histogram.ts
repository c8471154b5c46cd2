// Latencies, counted in buckets whose width grows with the value, so that any number of them takes
// the same memory, processes can add theirs up, and no quantile is off by more than 1/64 of itself.
// Quantiles round up: what is told was not better than what was measured.
import { assert } from "../../services/lib/base/assert.ts";

/** Buckets between one power of two and the next. */
const STEPS = 64;
/** Smallest and largest latency told apart: 1 microsecond and some 18 minutes. */
const UNIT_MS = 0.001;
const OCTAVES = 30;

export interface HistogramRecord {
  /** Index of a bucket and how many fell into it, in order of index. */
  readonly buckets: readonly (readonly [index: number, count: number])[];
  readonly maxMs: number;
}

export class Histogram {
  readonly #counts = new Float64Array(STEPS * OCTAVES);
  #total = 0;
  #maxMs = 0;

  static from({ buckets, maxMs }: HistogramRecord): Histogram {
    const histogram = new Histogram();
    for (const [index, count] of buckets) {
      assert(index >= 0 && index < STEPS * OCTAVES, "Histogram: index of a bucket");
      histogram.#counts[index] = count;
      histogram.#total += count;
    }
    histogram.#maxMs = maxMs;
    return histogram;
  }

  get count(): number {
    return this.#total;
  }

  get maxMs(): number {
    return this.#maxMs;
  }

  add(ms: number): void {
    assert(ms >= 0, "Histogram: a latency is not negative");
    const index = indexOf(ms);
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#total += 1;
    if (ms > this.#maxMs) this.#maxMs = ms;
  }

  merge(other: Histogram): void {
    for (const [index, count] of other.#counts.entries()) {
      this.#counts[index] = (this.#counts[index] ?? 0) + count;
    }
    this.#total += other.#total;
    this.#maxMs = Math.max(this.#maxMs, other.#maxMs);
  }

  /**
   * The latency that a `fraction` of all does not exceed, in milliseconds; 0 where there is none.
   */
  quantile(fraction: number): number {
    assert(fraction >= 0 && fraction <= 1, "Histogram: fraction");
    const wanted = Math.max(1, Math.ceil(fraction * this.#total));
    let seen = 0;
    for (const [index, count] of this.#counts.entries()) {
      seen += count;
      if (seen >= wanted) return Math.min(upperMs(index), this.#maxMs);
    }
    return this.#maxMs;
  }

  /** Upper bounds and counts of the buckets that hold any, in order. */
  bars(): { readonly upToMs: number; readonly count: number }[] {
    return this.toRecord().buckets.map(([index, count]) => ({ upToMs: upperMs(index), count }));
  }

  toRecord(): HistogramRecord {
    const buckets: [number, number][] = [];
    for (const [index, count] of this.#counts.entries())
      if (count > 0) buckets.push([index, count]);
    return { buckets, maxMs: this.#maxMs };
  }
}

/** Linear up to STEPS units, then STEPS / 2 buckets an octave. */
function indexOf(ms: number): number {
  const units = Math.floor(ms / UNIT_MS);
  if (units < STEPS) return units;
  const octave = Math.floor(Math.log2(units)) - Math.log2(STEPS) + 1;
  const half = STEPS / 2;
  const index = octave * half + Math.floor(units / 2 ** octave);
  return Math.min(index, STEPS * OCTAVES - 1);
}

function upperMs(index: number): number {
  if (index < STEPS) return (index + 1) * UNIT_MS;
  const half = STEPS / 2;
  const octave = Math.floor(index / half) - 1;
  return (half + (index % half) + 1) * 2 ** octave * UNIT_MS;
}
