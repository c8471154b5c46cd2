// Waiting with a bound, by the clock port.
import type { Clock } from "../ports/clock.ts";

/** True when `promise` settled (either way) within `ms`; it goes on otherwise. Never rejects. */
export async function settledWithin(
  clock: Clock,
  ms: number,
  promise: Promise<unknown>,
): Promise<boolean> {
  const { promise: settled, resolve } = Promise.withResolvers<boolean>();
  const timer = clock.after(ms, () => resolve(false));
  promise.then(
    () => resolve(true),
    () => resolve(true),
  );
  try {
    return await settled;
  } finally {
    timer.cancel();
  }
}
