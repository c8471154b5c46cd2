// Bounded work over things that come one by one: so many at a time, in the order they come. A
// failure of one thing is told and the others go on; only an interruption or a failure of the
// source itself ends it all. Planning may run ahead of the work, so that totals are known early.

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

/**
 * The items of `source`, taken from it up to `itemsMax` ahead of whoever takes them here; `seen` is
 * told of each as soon as it is known. What the source throws comes after its last item.
 */
export async function* readAhead<T>(
  source: AsyncIterable<T>,
  itemsMax: number,
  seen: (item: T) => void,
): AsyncGenerator<T, undefined> {
  const ahead = new Ahead<T>();
  const reading = ahead.read(source, itemsMax, seen);
  try {
    for (;;) {
      const taken = await ahead.take();
      if (taken === undefined) return undefined;
      yield taken.item;
    }
  } finally {
    ahead.stop();
    await reading;
  }
}

class Ahead<T> {
  readonly #items: { readonly item: T }[] = [];
  #ended = false;
  #stopped = false;
  #failure: { readonly reason: unknown } | undefined;
  #changed = Promise.withResolvers<void>();

  /** Never throws: a failure is kept for whoever takes. */
  async read(source: AsyncIterable<T>, itemsMax: number, seen: (item: T) => void): Promise<void> {
    try {
      for await (const item of source) {
        seen(item);
        this.#items.push({ item });
        this.#tell();
        while (this.#items.length >= itemsMax && !this.#stopped) await this.#changed.promise;
        if (this.#stopped) break;
      }
    } catch (reason) {
      this.#failure = { reason };
    }
    this.#ended = true;
    this.#tell();
  }

  async take(): Promise<{ readonly item: T } | undefined> {
    for (;;) {
      const taken = this.#items.shift();
      if (taken !== undefined) {
        this.#tell();
        return taken;
      }
      if (this.#failure !== undefined) throw this.#failure.reason;
      if (this.#ended) return undefined;
      await this.#changed.promise;
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#tell();
  }

  #tell(): void {
    const before = this.#changed;
    this.#changed = Promise.withResolvers<void>();
    before.resolve();
  }
}
