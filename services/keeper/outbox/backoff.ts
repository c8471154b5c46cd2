// Pauses between tries that fail: doubled with each failure in a row, a quarter of it by chance.

import { isStoreError } from "../../lib/base/errors.ts";
import type { Clock } from "../../lib/ports/clock.ts";
import type { Random } from "../../lib/ports/random.ts";

export interface BackoffSettings {
  readonly backoffMs: number;
  readonly backoffMsMax: number;
}

export class Backoff {
  readonly #settings: BackoffSettings;
  readonly #random: Random;
  #failures = 0;

  constructor(settings: BackoffSettings, random: Random) {
    this.#settings = settings;
    this.#random = random;
  }

  succeeded(): void {
    this.#failures = 0;
  }

  /** Counts a failure; milliseconds to wait after it. */
  failed(): number {
    const { backoffMs, backoffMsMax } = this.#settings;
    const doubled = backoffMs * 2 ** Math.min(this.#failures, 30);
    const pauseMs = Math.min(doubled, backoffMsMax);
    this.#failures += 1;
    return pauseMs - this.#random.below(Math.floor(pauseMs / 4) + 1);
  }
}

/** Sleeps, or returns early on the signal. */
export async function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  if (ms === 0) return;
  try {
    await clock.sleep(ms, signal);
  } catch (error) {
    if (!isStoreError(error, "aborted")) throw error;
  }
}
