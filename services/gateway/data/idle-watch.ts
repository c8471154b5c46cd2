// Bounds waits for a client, one after the other, with a single timer: it is looked at when it
// fires and not set anew for each of the thousands of pieces of a body.
import { assert } from "../../lib/base/assert.ts";
import type { Clock, Timer } from "../../lib/ports/clock.ts";

interface Wait {
  readonly sinceMs: number;
  readonly reject: (error: Error) => void;
}

export class IdleWatch {
  readonly #clock: Clock;
  readonly #idleMs: number;
  readonly #late: () => Error;
  #timer: Timer | undefined;
  #wait: Wait | undefined;

  /** A wait of `idleMs` ends with the error that `late` makes. */
  constructor(clock: Clock, idleMs: number, late: () => Error) {
    this.#clock = clock;
    this.#idleMs = idleMs;
    this.#late = late;
  }

  /** What `begin` comes to, unless that takes too long. One at a time. */
  over<T>(begin: () => Promise<T>): Promise<T> {
    assert(this.#wait === undefined, "IdleWatch: two waits at once");
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const wait = { sinceMs: this.#clock.monotonicMs(), reject };
    this.#wait = wait;
    this.#timer ??= this.#clock.after(this.#idleMs, () => this.#look());
    const isOver = (): void => {
      if (this.#wait === wait) this.#wait = undefined;
    };
    begin().then(
      (value) => {
        isOver();
        resolve(value);
      },
      (error: unknown) => {
        isOver();
        reject(error);
      },
    );
    return promise;
  }

  /** Sets the timer free; a wait that runs is not bounded any more. */
  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #look(): void {
    this.#timer = undefined;
    const wait = this.#wait;
    // The next wait sets the timer again.
    if (wait === undefined) return;
    const leftMs = this.#idleMs - (this.#clock.monotonicMs() - wait.sinceMs);
    if (leftMs > 0) {
      this.#timer = this.#clock.after(leftMs, () => this.#look());
      return;
    }
    this.#wait = undefined;
    wait.reject(this.#late());
  }
}
