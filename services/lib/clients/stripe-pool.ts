// Buffers for stripes on their way in, bounded in total bytes, so that many uploads at once wait
// for memory instead of taking it. Buffers of the common size are used again.
import { assert } from "../base/assert.ts";
import { Semaphore } from "../base/bounded.ts";
import { FreeBuffers } from "../base/free-buffers.ts";

export class StripeBuffer {
  readonly bytes: Uint8Array;
  readonly #pool: StripePool;
  readonly #taken: number;
  #open = true;

  constructor(pool: StripePool, bytes: Uint8Array, taken: number) {
    this.#pool = pool;
    this.bytes = bytes;
    this.#taken = taken;
  }

  /** Gives the memory back; `reusable` only when nobody can still read from it. */
  release(reusable: boolean): void {
    if (!this.#open) return;
    this.#open = false;
    this.#pool.giveBack(this.bytes, this.#taken, reusable);
  }
}

const ROUND_BYTES = 64 * 1024;
/** Kept when nobody holds a buffer. */
const IDLE_BYTES_MAX = 4 * 1024 * 1024;
const WAITERS_MAX = 10_000;

export class StripePool {
  readonly #budget: Semaphore;
  readonly #free = new FreeBuffers<Uint8Array>();

  /** `capacityBytes`: all buffers together, those in use and those kept for use again. */
  constructor(capacityBytes: number) {
    this.#budget = new Semaphore(capacityBytes, WAITERS_MAX);
  }

  /**
   * A buffer of at least `length` bytes with undefined content; waits until the budget allows it.
   */
  async acquire(length: number, signal?: AbortSignal): Promise<StripeBuffer> {
    assert(length > 0, "StripePool: empty buffer");
    const taken = Math.ceil(length / ROUND_BYTES) * ROUND_BYTES;
    await this.#budget.acquire(Math.min(taken, this.#budget.capacity), signal);
    const kept = this.#free.take(taken);
    // What is granted and what is kept must fit the capacity together.
    this.#free.shrinkTo(this.#budget.free);
    const memory = kept ?? new Uint8Array(taken);
    return new StripeBuffer(this, memory.subarray(0, length), taken);
  }

  giveBack(bytes: Uint8Array, taken: number, reusable: boolean): void {
    if (reusable) this.#free.put(new Uint8Array(bytes.buffer, bytes.byteOffset, taken));
    this.#budget.release(Math.min(taken, this.#budget.capacity));
    const isIdle = this.#budget.free === this.#budget.capacity;
    this.#free.shrinkTo(isIdle ? IDLE_BYTES_MAX : this.#budget.free);
  }
}
