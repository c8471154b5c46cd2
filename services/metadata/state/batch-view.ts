// The state as it is while a batch of commands is being applied: what the store holds, under what
// the batch has changed so far. Collects the changes as one write and keeps the digest of the whole
// state.
//
// Only one view exists at a time, and the store is not written while it does.
import { assert } from "../../lib/base/assert.ts";
import { compareBytes } from "../../lib/base/bytes.ts";
import type { Kv, KvOperation } from "../../lib/ports/kv.ts";
import { decodeChecked, encodeChecked } from "./checked-value.ts";
import type { Digest } from "./digest.ts";
import { type KeyRange, TABLE } from "./keys.ts";
import type { Entry, StateWriter } from "./records.ts";

const SCAN_PAGE = 256;

interface Change {
  readonly key: Uint8Array;
  /** Stored form now; undefined: deleted. */
  stored: Uint8Array | undefined;
  /** Stored form that the digest covers at present. */
  digested: Uint8Array | undefined;
  isSettled: boolean;
}

function nameOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
}

export class BatchView implements StateWriter {
  readonly #kv: Kv;
  readonly #digest: Digest;
  /** Stored values read from the store, by key; they do not change while the view lives. */
  readonly #base = new Map<string, Uint8Array | undefined>();
  /** By table, then by key: scans look only at their own table. */
  readonly #changes = new Map<number, Map<string, Change>>();
  #unsettled: Change[] = [];

  constructor(kv: Kv, digest: Digest) {
    this.#kv = kv;
    this.#digest = digest;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    const name = nameOf(key);
    const change = this.#changes.get(key[0] ?? 0)?.get(name);
    const stored = change === undefined ? this.#readBase(name, key) : change.stored;
    return stored === undefined ? undefined : decodeChecked(key, stored);
  }

  put(key: Uint8Array, payload: Uint8Array): void {
    this.#change(key, encodeChecked(key, payload));
  }

  insert(key: Uint8Array, payload: Uint8Array): void {
    const name = nameOf(key);
    assert(this.#changes.get(key[0] ?? 0)?.get(name) === undefined, "insert: the key is there");
    this.#base.set(name, undefined);
    this.#change(key, encodeChecked(key, payload));
  }

  delete(key: Uint8Array): void {
    this.#change(key, undefined);
  }

  async scan(range: KeyRange, limit: number): Promise<Entry[]> {
    const changed = this.#changesIn(range);
    const found: Entry[] = [];
    const iterator = this.#kv.iterate(range);
    try {
      let page = await iterator.next(Math.min(limit, SCAN_PAGE));
      let at = 0;
      let next = 0;
      while (found.length < limit) {
        if (at === page.length && page.length > 0) {
          page = await iterator.next(Math.min(limit, SCAN_PAGE));
          at = 0;
        }
        const stored = page[at];
        const change = changed[next];
        if (stored === undefined && change === undefined) break;
        const order =
          stored === undefined
            ? 1
            : change === undefined
              ? -1
              : compareBytes(stored[0], change.key);
        if (order <= 0) at += 1;
        if (order >= 0) next += 1;
        const value = order < 0 ? stored?.[1] : change?.stored;
        const key = order < 0 ? stored?.[0] : change?.key;
        if (value === undefined || key === undefined) continue;
        found.push([key, decodeChecked(key, value)]);
      }
    } finally {
      await iterator.close();
    }
    return found;
  }

  /** Brings the digest up to date with all changes so far. */
  settle(): Digest {
    for (const change of this.#unsettled) {
      change.isSettled = true;
      const { key, stored, digested } = change;
      if (key[0] === TABLE.local || stored === digested) continue;
      if (digested !== undefined) this.#digest.subtract(key, digested);
      if (stored !== undefined) this.#digest.add(key, stored);
      change.digested = stored;
    }
    this.#unsettled = [];
    return this.#digest;
  }

  operations(): KvOperation[] {
    const operations: KvOperation[] = [];
    for (const table of this.#changes.values()) {
      for (const { key, stored } of table.values()) {
        operations.push(
          stored === undefined ? { type: "delete", key } : { type: "put", key, value: stored },
        );
      }
    }
    return operations;
  }

  #readBase(name: string, key: Uint8Array): Uint8Array | undefined {
    if (this.#base.has(name)) return this.#base.get(name);
    const stored = this.#kv.get(key);
    this.#base.set(name, stored);
    return stored;
  }

  #change(key: Uint8Array, stored: Uint8Array | undefined): void {
    const tableName = key[0] ?? 0;
    let table = this.#changes.get(tableName);
    if (table === undefined) {
      table = new Map();
      this.#changes.set(tableName, table);
    }
    const name = nameOf(key);
    const before = table.get(name);
    if (before !== undefined) {
      before.stored = stored;
      if (before.isSettled) this.#unsettled.push(before);
      before.isSettled = false;
      return;
    }
    const digested = this.#readBase(name, key);
    // What is taken out of the digest must be what was put into it.
    if (digested !== undefined) decodeChecked(key, digested);
    const change = { key, stored, digested, isSettled: false };
    table.set(name, change);
    this.#unsettled.push(change);
  }

  #changesIn(range: KeyRange): Change[] {
    const tableName = range.from[0] ?? 0;
    assert(range.to === undefined || (range.to[0] ?? 0) <= tableName + 1, "scan: two tables");
    const changes = [...(this.#changes.get(tableName)?.values() ?? [])].filter(
      ({ key }) =>
        compareBytes(range.from, key) <= 0 &&
        (range.to === undefined || compareBytes(key, range.to) < 0),
    );
    return changes.sort((a, b) => compareBytes(a.key, b.key));
  }
}
