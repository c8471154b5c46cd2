// Counts of the last day or two: enough that a problem is seen by whoever looks once a day, and
// that one of long ago is not shown for ever. The metrics count everything.
import type { PassReport } from "../../lib/clients/verify/verification-report.ts";
import type { Clock } from "../../lib/ports/clock.ts";

const DAY_MS = 86_400_000;

interface Count {
  looked: number;
  problems: number;
}

export class DayCount {
  readonly #clock: Clock;
  #today: Count = { looked: 0, problems: 0 };
  #yesterday: Count = { looked: 0, problems: 0 };
  #sinceMs: number;
  #atMs: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#sinceMs = clock.monotonicMs();
  }

  add({ looked, problems }: Count): void {
    const now = this.#clock.monotonicMs();
    if (now - this.#sinceMs >= DAY_MS) {
      this.#yesterday = this.#today;
      this.#today = { looked: 0, problems: 0 };
      this.#sinceMs = now;
    }
    this.#today.looked += looked;
    this.#today.problems += problems;
    this.#atMs = this.#clock.wallMs();
  }

  /** Undefined before anything was counted. */
  get report(): PassReport | undefined {
    if (this.#atMs === undefined) return undefined;
    return {
      atMs: this.#atMs,
      looked: this.#today.looked + this.#yesterday.looked,
      problems: this.#today.problems + this.#yesterday.problems,
    };
  }
}
