// Time as a port. Safety never depends on the wall clock; time-outs use the monotonic one.

export interface Timer {
  /** Stops the timer; harmless when it already ran. */
  cancel(): void;
}

export interface Clock {
  /** Whole milliseconds since 1970, as the machine believes. May step. */
  wallMs(): number;
  /** Milliseconds that only grow, from an arbitrary origin. */
  monotonicMs(): number;
  /** Resolves after `ms`; rejects with StoreError "aborted" when `signal` fires first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls `run` once after `ms`. Does not keep the process alive. */
  after(ms: number, run: () => void): Timer;
}
