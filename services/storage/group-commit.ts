// Writers that finish together share one sync. A sync that fails is never tried again: the kernel
// has dropped the pages and would report success. Everyone waiting, and everyone after, is told
// "io".
import { type Deferred, deferred } from "../lib/base/bounded.ts";
import { StoreError } from "../lib/base/errors.ts";

export class GroupCommit {
  readonly #sync: () => Promise<void>;
  readonly #onFailure: (error: StoreError) => void;
  #next: Deferred<void> | undefined;
  #running: Promise<void> | undefined;
  #failure: StoreError | undefined;

  /** `sync` makes everything written before its call power-safe. `onFailure` is called once. */
  constructor(sync: () => Promise<void>, onFailure: (error: StoreError) => void) {
    this.#sync = sync;
    this.#onFailure = onFailure;
  }

  /** Resolves when everything written before this call is power-safe. Throws StoreError "io". */
  async commit(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    this.#next ??= deferred<void>();
    const mine = this.#next.promise;
    if (this.#running === undefined) this.#running = this.#run();
    await mine;
  }

  async #run(): Promise<void> {
    // Whoever finishes in the same turn joins.
    await Promise.resolve();
    while (this.#next !== undefined) {
      const group = this.#next;
      this.#next = undefined;
      try {
        await this.#sync();
        group.resolve();
      } catch (error) {
        this.#fail(error, group);
      }
    }
    this.#running = undefined;
  }

  #fail(error: unknown, group: Deferred<void>): void {
    const message = error instanceof Error ? error.message : String(error);
    const failure = new StoreError("io", `sync failed: ${message}`, { cause: error });
    this.#failure = failure;
    group.reject(failure);
    this.#next?.reject(failure);
    this.#next = undefined;
    this.#onFailure(failure);
  }
}
