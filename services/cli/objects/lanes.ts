// Bounded work over things that come one by one: so many at a time, in the order they come. A
// failure of one thing is told and the others go on; only an interruption or a failure of the
// source itself ends it all.

/**
 * Runs `work` over `items`, at most `width` at a time; resolves when all have ended. `work` must
 * not throw but for reasons that end everything; then no further item starts, what runs is waited
 * for, and the first reason is thrown.
 */
export async function runLanes<T>(
  items: AsyncIterable<T> | Iterable<T>,
  width: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const running = new Set<Promise<void>>();
  let failure: { readonly reason: unknown } | undefined;
  try {
    for await (const item of items) {
      const task = work(item)
        .catch((reason: unknown) => {
          failure ??= { reason };
        })
        .finally(() => running.delete(task));
      running.add(task);
      if (running.size >= width) await Promise.race(running);
      if (failure !== undefined) break;
    }
  } catch (reason) {
    failure ??= { reason };
  }
  await Promise.all(running);
  if (failure !== undefined) throw failure.reason;
}
