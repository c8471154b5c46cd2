// Virtual time: nothing waits, events run in order of their due time (ties in the order they were
// asked for). After every instant all promise callbacks run before time moves on.
import { assert } from "../../services/lib/base/assert.ts";
import { StoreError } from "../../services/lib/base/errors.ts";
import type { Clock, Timer } from "../../services/lib/ports/clock.ts";

interface SimEvent {
  readonly dueMs: number;
  readonly order: number;
  run: (() => void) | undefined;
}

/** Lets every callback of settled promises run, however long their chains are. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export class SimClock implements Clock {
  #nowMs = 0;
  #order = 0;
  readonly #heap: SimEvent[] = [];
  /** Added to `wallMs`; change it to step the wall clock. */
  wallOffsetMs = Date.UTC(2026, 0, 1);

  wallMs(): number {
    return Math.floor(this.#nowMs + this.wallOffsetMs);
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  get pending(): number {
    return this.#heap.length;
  }

  after(ms: number, run: () => void): Timer {
    assert(ms >= 0 && Number.isFinite(ms), `clock: bad delay ${ms}`);
    const event: SimEvent = { dueMs: this.#nowMs + ms, order: this.#order, run };
    this.#order += 1;
    this.#push(event);
    return {
      cancel: () => {
        event.run = undefined;
      },
    };
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const giveUp = (): void => {
        timer.cancel();
        reject(new StoreError("aborted", "sleep: gave up", { cause: signal?.reason }));
      };
      const timer = this.after(ms, () => {
        signal?.removeEventListener("abort", giveUp);
        resolve();
      });
      if (signal?.aborted === true) giveUp();
      else signal?.addEventListener("abort", giveUp, { once: true });
    });
  }

  /** Runs all events due up to `untilMs`, then stands there. `stop` is asked after each instant. */
  async run(untilMs: number, stop: () => boolean = () => false): Promise<void> {
    await settle();
    while (!stop()) {
      const first = this.#heap[0];
      if (first === undefined || first.dueMs > untilMs) break;
      this.#nowMs = first.dueMs;
      while (this.#heap[0] !== undefined && this.#heap[0].dueMs <= this.#nowMs) {
        this.#pop().run?.();
      }
      await settle();
    }
    if (!stop()) this.#nowMs = Math.max(this.#nowMs, untilMs);
  }

  #before(a: SimEvent, b: SimEvent): boolean {
    return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);
  }

  #push(event: SimEvent): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as SimEvent;
      if (!this.#before(event, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): SimEvent {
    const heap = this.#heap;
    const top = heap[0] as SimEvent;
    const last = heap.pop() as SimEvent;
    if (heap.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= heap.length) break;
      const right = heap[child + 1];
      if (right !== undefined && this.#before(right, heap[child] as SimEvent)) child += 1;
      const below = heap[child] as SimEvent;
      if (!this.#before(below, last)) break;
      heap[at] = below;
      at = child;
    }
    heap[at] = last;
    return top;
  }
}
