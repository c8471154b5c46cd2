// One holder a key at a time, in the order of asking; keys nobody holds cost nothing. Several keys
// are taken in sorted order, so that two callers never wait for each other.

import { assert } from "../lib/base/assert.ts";
import { Mutex } from "../lib/base/bounded.ts";

interface Slot {
  readonly mutex: Mutex;
  users: number;
}

export class KeyedMutex {
  readonly #slots = new Map<string, Slot>();

  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    let slot = this.#slots.get(key);
    if (slot === undefined) {
      slot = { mutex: new Mutex(), users: 0 };
      this.#slots.set(key, slot);
    }
    slot.users += 1;
    try {
      return await slot.mutex.run(work);
    } finally {
      slot.users -= 1;
      if (slot.users === 0) this.#slots.delete(key);
    }
  }

  /** Holds all `keys`, each once, while `work` runs. */
  async runAll<T>(keys: readonly string[], work: () => Promise<T>): Promise<T> {
    const sorted = [...new Set(keys)].sort();
    const nested = sorted.reduceRight<() => Promise<T>>(
      (inner, key) => () => this.run(key, inner),
      work,
    );
    return nested();
  }

  get heldCount(): number {
    assert(this.#slots.size >= 0, "keyed mutex: size");
    return this.#slots.size;
  }
}
