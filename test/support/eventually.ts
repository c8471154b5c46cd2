// Waits for a condition by asking again, with a bound. The only place where tests wait by time.

const PAUSE_MS = 100;
/** A question that takes long (a process, a sweep) is asked half of the time at most. */
const PAUSE_MS_MAX = 1000;

/**
 * Resolves with the first defined result of `ask`; throws with the last failure after `timeoutMs`.
 */
export async function eventually<T>(
  what: string,
  timeoutMs: number,
  ask: () => Promise<T | undefined>,
): Promise<T> {
  const endsAt = performance.now() + timeoutMs;
  let last: unknown = "condition not met";
  for (;;) {
    const askedAt = performance.now();
    try {
      const result = await ask();
      if (result !== undefined) return result;
    } catch (error) {
      last = error;
    }
    const tookMs = performance.now() - askedAt;
    if (performance.now() >= endsAt) {
      throw new Error(`${what}: not within ${timeoutMs} ms`, { cause: last });
    }
    const pauseMs = Math.min(Math.max(PAUSE_MS, tookMs), PAUSE_MS_MAX);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}
