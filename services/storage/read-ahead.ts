// How many bytes the readers of one disk may hold beyond the cells they need next. Nobody waits for
// it: who gets none reads less at once.
import { assert } from "../lib/base/assert.ts";

export class ReadAhead {
  readonly #capacityBytes: number;
  #freeBytes: number;

  constructor(capacityBytes: number) {
    this.#capacityBytes = capacityBytes;
    this.#freeBytes = capacityBytes;
  }

  /** Whether there were so many bytes left; then they are the caller's until given back. */
  take(bytes: number): boolean {
    if (bytes > this.#freeBytes) return false;
    this.#freeBytes -= bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#freeBytes += bytes;
    assert(this.#freeBytes <= this.#capacityBytes, "ReadAhead: more given back than taken");
  }
}
