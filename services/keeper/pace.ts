// Holds what a task copies to a rate, over all that it copies at once. Rest saves up nothing.
import type { Clock } from "../lib/ports/clock.ts";

/** Pauses shorter than this are saved up. */
const PAUSE_MS_MIN = 5;

export class Pace {
  readonly #clock: Clock;
  readonly #bytesPerSecond: number;
  #dueMs: number;

  constructor(clock: Clock, bytesPerSecond: number) {
    this.#clock = clock;
    this.#bytesPerSecond = bytesPerSecond;
    this.#dueMs = clock.monotonicMs();
  }

  /** Resolves when so many bytes more may be copied. Rejects with "aborted". */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    const now = this.#clock.monotonicMs();
    this.#dueMs = Math.max(this.#dueMs, now) + (bytes / this.#bytesPerSecond) * 1000;
    if (this.#dueMs - now >= PAUSE_MS_MIN) await this.#clock.sleep(this.#dueMs - now, signal);
  }
}
