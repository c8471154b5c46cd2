// How long cells take to come, learned from the reads themselves. What takes far longer than most
// is read around: a fixed time would be too long on fast disks and too short on far ones. A disk
// that was late is asked last for a while, longer and longer until it answers in time again: so one
// slow disk costs a few reads a little, and not every read much.
import { assert, present } from "../base/assert.ts";
import type { Clock } from "../ports/clock.ts";

/** Until enough is known. */
const UNKNOWN_MS = 400;
const LEAST_MS = 20;
const MOST_MS = 400;
/**
 * Late: so many times what three of four cells take (those of another campus count then), and a
 * little for what the own process is busy with.
 */
const USUAL_SHARE = 0.75;
const LATE_FACTOR = 3;
const LATE_EXTRA_MS = 10;
const SAMPLES = 64;
const SAMPLES_MIN = 16;
const AVOIDED_MS_MIN = 1000;
const AVOIDED_MS_MAX = 16_000;

interface Avoided {
  readonly untilMs: number;
  readonly forMs: number;
}

export class CellTimes {
  readonly #clock: Pick<Clock, "monotonicMs">;
  /** The last of all disks; a slow one is avoided, and so has few among them. */
  readonly #samples: number[] = [];
  readonly #avoided = new Map<number, Avoided>();
  #next = 0;

  constructor(clock: Pick<Clock, "monotonicMs">) {
    this.#clock = clock;
  }

  /** Milliseconds before a cell that has not come is read around. */
  hedgeMs(): number {
    if (this.#samples.length < SAMPLES_MIN) return UNKNOWN_MS;
    const sorted = this.#samples.toSorted((a, b) => a - b);
    const usual = present(sorted[Math.floor(sorted.length * USUAL_SHARE)], "usual time");
    return Math.min(MOST_MS, Math.max(LEAST_MS, usual * LATE_FACTOR + LATE_EXTRA_MS));
  }

  /** The first cell of a read came from the disk after so long. */
  came(diskId: number, ms: number): void {
    assert(ms >= 0, "CellTimes: time went back");
    const isLate = ms > this.hedgeMs();
    this.#samples[this.#next] = ms;
    this.#next = (this.#next + 1) % SAMPLES;
    if (!isLate && this.isPrompt(diskId)) this.#avoided.delete(diskId);
  }

  /** A cell of the disk did not come in time. */
  late(diskId: number): void {
    // Of reads that began together only the first tells something new.
    if (!this.isPrompt(diskId)) return;
    const former = this.#avoided.get(diskId)?.forMs ?? 0;
    const forMs = Math.min(AVOIDED_MS_MAX, Math.max(AVOIDED_MS_MIN, former * 2));
    this.#avoided.set(diskId, { untilMs: this.#clock.monotonicMs() + forMs, forMs });
  }

  /** Worth asking first. */
  isPrompt(diskId: number): boolean {
    const avoided = this.#avoided.get(diskId);
    return avoided === undefined || avoided.untilMs <= this.#clock.monotonicMs();
  }
}
