// Verified reads from a frozen state, for queries, snapshots and audits.
import { StoreError } from "../../lib/base/errors.ts";
import type { KvEntry, KvIterator, KvSnapshot } from "../../lib/ports/kv.ts";
import { decodeChecked } from "./checked-value.ts";
import type { KeyRange } from "./keys.ts";
import type { Cursor, Entry, FrozenState } from "./records.ts";

const PAGE_MIN = 16;
const PAGE_MAX = 512;

export class FrozenView implements FrozenState {
  readonly #snapshot: KvSnapshot;

  constructor(snapshot: KvSnapshot) {
    this.#snapshot = snapshot;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    const stored = this.#snapshot.get(key);
    return stored === undefined ? undefined : decodeChecked(key, stored);
  }

  async scan(range: KeyRange, limit: number): Promise<Entry[]> {
    const found: Entry[] = [];
    const iterator = this.#snapshot.iterate(range);
    try {
      while (found.length < limit) {
        const page = await iterator.next(Math.min(limit - found.length, PAGE_MAX));
        if (page.length === 0) break;
        for (const [key, stored] of page) found.push([key, decodeChecked(key, stored)]);
      }
    } finally {
      await iterator.close();
    }
    return found;
  }

  cursor(range: KeyRange, ahead = PAGE_MIN): Cursor {
    const pageSize = Math.min(Math.max(ahead, PAGE_MIN), PAGE_MAX);
    return new PagedCursor(this.#snapshot.iterate(range), pageSize);
  }

  async lastKey(range: KeyRange): Promise<Uint8Array | undefined> {
    const iterator = this.#snapshot.iterate({ ...range, reverse: true });
    try {
      const [last] = await iterator.next(1);
      return last?.[0];
    } finally {
      await iterator.close();
    }
  }

  approximateBytes(from: Uint8Array, to: Uint8Array): Promise<number> {
    return this.#snapshot.approximateBytes(from, to);
  }

  /** Entries as they are stored, unverified, `PAGE_MAX` at a time. */
  async *storedPages(range: KeyRange): AsyncGenerator<KvEntry[], void, undefined> {
    const iterator = this.#snapshot.iterate(range);
    try {
      for (;;) {
        const page = await iterator.next(PAGE_MAX);
        if (page.length === 0) return;
        yield page;
      }
    } finally {
      await iterator.close();
    }
  }

  close(): Promise<void> {
    return this.#snapshot.close();
  }
}

/** Reads ahead in pages that grow while it walks and shrink when it jumps. */
class PagedCursor implements Cursor {
  readonly #iterator: KvIterator;
  #page: KvEntry[] = [];
  #at = 0;
  #pageSize: number;
  #isClosed = false;

  constructor(iterator: KvIterator, pageSize: number) {
    this.#iterator = iterator;
    this.#pageSize = pageSize;
  }

  seek(key: Uint8Array): void {
    while (this.#at < this.#page.length) {
      const entry = this.#page[this.#at];
      if (entry !== undefined && Buffer.compare(entry[0], key) >= 0) return;
      this.#at += 1;
    }
    this.#page = [];
    this.#at = 0;
    this.#pageSize = PAGE_MIN;
    this.#iterator.seek(key);
  }

  async next(): Promise<Entry | undefined> {
    if (this.#isClosed) throw new StoreError("internal", "cursor: used after close");
    if (this.#at === this.#page.length) {
      this.#page = await this.#iterator.next(this.#pageSize);
      this.#at = 0;
      this.#pageSize = Math.min(this.#pageSize * 2, PAGE_MAX);
    }
    const entry = this.#page[this.#at];
    if (entry === undefined) return undefined;
    this.#at += 1;
    return [entry[0], decodeChecked(entry[0], entry[1])];
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#iterator.close();
  }
}
