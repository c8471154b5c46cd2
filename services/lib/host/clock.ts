// The machine's clock behind the port. Waits longer than a timer of Node can hold (2^31-1 ms, past
// which Node fires at once) are cut into several. `after` never keeps the process alive; `sleep`
// does, because somebody awaits it.
import { assert } from "../base/assert.ts";
import { StoreError } from "../base/errors.ts";
import type { Clock, Timer } from "../ports/clock.ts";

const TIMER_MS_MAX = 2 ** 31 - 1;

/** A clock over Date.now, performance.now and Node's timers. */
export function createClock(): Clock {
  return {
    wallMs: () => Date.now(),
    monotonicMs: () => performance.now(),
    sleep,
    after: (ms, run) => startTimer(ms, run, false),
  };
}

function startTimer(ms: number, run: () => void, keepAlive: boolean): Timer {
  assert(!Number.isNaN(ms), "timer: not a number");
  const dueMs = performance.now() + ms;
  let handle: NodeJS.Timeout;
  let cancelled = false;
  function arm(leftMs: number): void {
    handle = setTimeout(fire, Math.max(0, Math.min(leftMs, TIMER_MS_MAX)));
    if (!keepAlive) handle.unref();
  }
  function fire(): void {
    if (cancelled) return;
    const leftMs = dueMs - performance.now();
    // A timer may fire up to a millisecond early; a long wait is only one leg of several.
    if (leftMs > 1) arm(leftMs);
    else run();
  }
  arm(ms);
  return {
    cancel(): void {
      cancelled = true;
      clearTimeout(handle);
    },
  };
}

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted === true) return Promise.reject(aborted(signal));
  return new Promise((resolve, reject) => {
    const timer = startTimer(ms, finish, true);
    function finish(): void {
      signal?.removeEventListener("abort", giveUp);
      resolve();
    }
    function giveUp(): void {
      timer.cancel();
      reject(aborted(signal));
    }
    signal?.addEventListener("abort", giveUp, { once: true });
  });
}

function aborted(signal: AbortSignal | undefined): StoreError {
  return new StoreError("aborted", "sleep: gave up", { cause: signal?.reason });
}
