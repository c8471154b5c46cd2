// Buffers for stripes on their way in, bounded in total bytes, so that many uploads at once wait
// for memory instead of taking it. Buffers of the common size are used again.
import { assert } from "../base/assert.ts";
import { Semaphore } from "../base/bounded.ts";

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

export interface StripePoolOptions {
  /** All stripe buffers together, in bytes. */
  readonly capacityBytes: number;
  /** Free buffers kept for use again, in bytes. */
  readonly keptBytes: number;
}

const ROUND_BYTES = 64 * 1024;
const WAITERS_MAX = 10_000;

export class StripePool {
  readonly #budget: Semaphore;
  readonly #keptMax: number;
  readonly #free = new Map<number, Uint8Array[]>();
  #keptBytes = 0;

  constructor(options: StripePoolOptions) {
    this.#budget = new Semaphore(options.capacityBytes, WAITERS_MAX);
    this.#keptMax = options.keptBytes;
  }

  /**
   * A buffer of at least `length` bytes with undefined content; waits until the budget allows it.
   */
  async acquire(length: number, signal?: AbortSignal): Promise<StripeBuffer> {
    assert(length > 0, "StripePool: empty buffer");
    const taken = Math.ceil(length / ROUND_BYTES) * ROUND_BYTES;
    await this.#budget.acquire(Math.min(taken, this.#budget.capacity), signal);
    const kept = this.#free.get(taken)?.pop();
    if (kept !== undefined) this.#keptBytes -= taken;
    const memory = kept ?? new Uint8Array(taken);
    return new StripeBuffer(this, memory.subarray(0, length), taken);
  }

  giveBack(bytes: Uint8Array, taken: number, reusable: boolean): void {
    if (reusable && this.#keptBytes + taken <= this.#keptMax) {
      const list = this.#free.get(taken) ?? [];
      list.push(new Uint8Array(bytes.buffer, bytes.byteOffset, taken));
      this.#free.set(taken, list);
      this.#keptBytes += taken;
    }
    this.#budget.release(Math.min(taken, this.#budget.capacity));
  }
}
