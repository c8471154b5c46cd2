// Bounded concurrency: a fan-out with a width, a semaphore counted in any unit, a deferred promise.
import { assert, present } from "./assert.ts";
import { StoreError } from "./errors.ts";

export interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (reason: unknown) => void;
}

/** A promise with its handles. An unhandled rejection is swallowed only if nobody awaits it. */
export function deferred<T>(): Deferred<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  return { promise, resolve, reject };
}

/**
 * Runs `work` over `items`, at most `width` at a time; results in the order of `items`. The first
 * failure stops new starts, waits for what runs, and is thrown.
 */
export async function mapBounded<T, R>(
  items: readonly T[],
  width: number,
  work: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  assert(width >= 1, "mapBounded: width below 1");
  const results = new Array<R>(items.length);
  let next = 0;
  let failure: { reason: unknown } | undefined;
  async function lane(): Promise<void> {
    while (next < items.length && failure === undefined) {
      const index = next;
      next += 1;
      try {
        results[index] = await work(items[index] as T, index);
      } catch (reason) {
        failure ??= { reason };
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, lane));
  if (failure !== undefined) throw failure.reason;
  return results;
}

interface Waiter {
  readonly units: number;
  readonly grant: () => void;
}

/** Counts `capacity` units (bytes, calls) out to waiters in the order they came. */
export class Semaphore {
  readonly capacity: number;
  readonly #waitersMax: number;
  #free: number;
  readonly #waiters: Waiter[] = [];

  /** `waitersMax` bounds the queue; past it `acquire` throws StoreError "exhausted". */
  constructor(capacity: number, waitersMax: number = Number.MAX_SAFE_INTEGER) {
    assert(capacity > 0, "Semaphore: capacity must be positive");
    this.capacity = capacity;
    this.#free = capacity;
    this.#waitersMax = waitersMax;
  }

  get free(): number {
    return this.#free;
  }

  get waiting(): number {
    return this.#waiters.length;
  }

  /** Takes `units` if they are free now and nobody waits. */
  tryAcquire(units: number): boolean {
    if (this.#waiters.length > 0 || this.#free < units) return false;
    this.#free -= units;
    return true;
  }

  /** Resolves once `units` (at most the capacity) are held; rejects with "aborted" on `signal`. */
  async acquire(units: number, signal?: AbortSignal): Promise<void> {
    assert(units > 0 && units <= this.capacity, `Semaphore: cannot grant ${units}`);
    if (signal?.aborted === true) throw new StoreError("aborted", "gave up waiting");
    if (this.tryAcquire(units)) return;
    if (this.#waiters.length >= this.#waitersMax) throw new StoreError("exhausted", "queue full");
    const { promise, resolve, reject } = deferred<void>();
    const waiter: Waiter = { units, grant: resolve };
    const onAbort = (): void => {
      const index = this.#waiters.indexOf(waiter);
      if (index < 0) return;
      this.#waiters.splice(index, 1);
      reject(new StoreError("aborted", "gave up waiting", { cause: signal?.reason }));
      this.#grantWaiters();
    };
    this.#waiters.push(waiter);
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      await promise;
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  release(units: number): void {
    this.#free += units;
    assert(this.#free <= this.capacity, "Semaphore: released more than was taken");
    this.#grantWaiters();
  }

  #grantWaiters(): void {
    while (this.#waiters.length > 0) {
      const waiter = present(this.#waiters[0], "waiter");
      if (waiter.units > this.#free) return;
      this.#waiters.shift();
      this.#free -= waiter.units;
      waiter.grant();
    }
  }
}

/** Runs `work` one call after another, in the order of the calls. */
export class Mutex {
  #tail: Promise<unknown> = Promise.resolve();

  async run<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#tail;
    const mine = deferred<void>();
    this.#tail = mine.promise;
    await before;
    try {
      return await work();
    } finally {
      mine.resolve();
    }
  }
}
