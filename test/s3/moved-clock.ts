// A clock for tests of what counts for a time only: real, and moved on by hand.
import { createClock } from "../../services/lib/host/clock.ts";
import type { Clock, Timer } from "../../services/lib/ports/clock.ts";

/** Real time, and as much more as a test lets pass. */
export class MovedClock implements Clock {
  readonly #real = createClock();
  aheadMs = 0;
  /** Of this clock's date alone, as clocks of machines differ. */
  wrongMs = 0;

  wallMs(): number {
    return this.#real.wallMs() + this.aheadMs + this.wrongMs;
  }

  monotonicMs(): number {
    return this.#real.monotonicMs() + this.aheadMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return this.#real.sleep(ms, signal);
  }

  after(ms: number, run: () => void): Timer {
    return this.#real.after(ms, run);
  }
}
