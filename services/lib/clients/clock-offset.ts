// How far the clock of another process is from ours, from one answer of it: its time lies between
// the sending of the question and the coming of the answer, so half of that time is unsure.
import type { Clock } from "../ports/clock.ts";

export interface Timed<T> {
  readonly answer: T;
  readonly tookMs: number;
  /** Our clock in the middle of it. */
  readonly middleMs: number;
}

/** Throws what `ask` throws. */
export async function timed<T>(clock: Clock, ask: () => Promise<T>): Promise<Timed<T>> {
  const wallMs = clock.wallMs();
  const beganMs = clock.monotonicMs();
  const answer = await ask();
  // The wall clock may step meanwhile.
  const tookMs = clock.monotonicMs() - beganMs;
  return { answer, tookMs, middleMs: wallMs + tookMs / 2 };
}

/**
 * The other clock less ours in milliseconds, as near to 0 as the time of the call allows; undefined
 * where the answer does not tell the time (0n).
 */
export function clockOffsetMs(
  toldMs: bigint,
  { tookMs, middleMs }: Pick<Timed<unknown>, "tookMs" | "middleMs">,
): number | undefined {
  if (toldMs === 0n) return undefined;
  const offset = Number(toldMs) - middleMs;
  return Math.sign(offset) * Math.max(0, Math.abs(offset) - tookMs / 2);
}
