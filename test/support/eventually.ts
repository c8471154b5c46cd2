// Waits for a condition by asking again, with a bound. The only place where tests wait by time.

const PAUSE_MS = 100;

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
    try {
      const result = await ask();
      if (result !== undefined) return result;
    } catch (error) {
      last = error;
    }
    if (performance.now() >= endsAt) {
      throw new Error(`${what}: not within ${timeoutMs} ms`, { cause: last });
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}
