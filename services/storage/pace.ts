// Holds background reading and copying to a rate, by a token bucket of one second.
import type { Clock } from "../lib/ports/clock.ts";

/** Resolves once `bytes` more may be moved. Rejects with "aborted". */
export type Pace = (bytes: number) => Promise<void>;

export interface PaceOptions {
  readonly bytesPerSecond: number;
  /** Milliseconds' worth that may be moved at once after a rest; at most 1000. */
  readonly creditMs?: number;
  readonly signal: AbortSignal;
}

const CREDIT_MS_MAX = 1000;
/** Pauses shorter than this are saved up. */
const PAUSE_MS_MIN = 5;

export function createPace(clock: Clock, options: PaceOptions): Pace {
  const { bytesPerSecond, creditMs = 0, signal } = options;
  let dueMs = clock.monotonicMs() - creditMs;
  return async (bytes) => {
    const now = clock.monotonicMs();
    dueMs = Math.max(dueMs, now - CREDIT_MS_MAX) + (bytes / bytesPerSecond) * 1000;
    if (dueMs - now >= PAUSE_MS_MIN) await clock.sleep(dueMs - now, signal);
  };
}
