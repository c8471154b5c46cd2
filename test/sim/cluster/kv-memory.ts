// The contents of a simulated key-value store: ordered, with as many versions of a value as open
// snapshots and iterators need. Keys are byte strings as latin1 text, whose order is byte order.
import type { KvEntry, KvIterator, KvOperation, KvRange } from "../../../services/lib/ports/kv.ts";

interface Version {
  readonly sequence: number;
  readonly value: Uint8Array | undefined;
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

/** A key or value handed out: a copy, as from LevelDB. */
function bytesOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "latin1"));
}

export class KvMemory {
  readonly #keys: string[] = [];
  readonly #versions = new Map<string, Version[]>();
  #sequence = 0;
  #readers = 0;

  get sequence(): number {
    return this.#sequence;
  }

  apply(operations: readonly KvOperation[]): void {
    this.#sequence += 1;
    for (const operation of operations) {
      const key = textOf(operation.key);
      const value = operation.type === "put" ? operation.value.slice() : undefined;
      this.#set(key, value);
    }
  }

  get(key: Uint8Array, sequence: number): Uint8Array | undefined {
    return this.#at(textOf(key), sequence)?.slice();
  }

  /** Keeps what stands now readable until `release`. */
  hold(): number {
    this.#readers += 1;
    return this.#sequence;
  }

  release(): void {
    this.#readers -= 1;
  }

  iterate(range: KvRange, at: number | undefined): KvIterator {
    const sequence = at ?? this.#sequence;
    const from = range.from === undefined ? "" : textOf(range.from);
    const to = range.to === undefined ? undefined : textOf(range.to);
    const reverse = range.reverse === true;
    /** The next key is at or after it (reversed: before it; undefined: the last one). */
    let cursor: string | undefined = reverse ? to : from;
    this.hold();
    let isOpen = true;
    return {
      seek: (key) => {
        const text = textOf(key);
        const isEarly = text < from;
        if (reverse) cursor = to !== undefined && text >= to ? to : `${text}\0`;
        else cursor = isEarly ? from : text;
      },
      next: async (count) => {
        const entries: KvEntry[] = [];
        while (entries.length < count) {
          const key = reverse ? this.#before(cursor) : this.#atOrAfter(cursor ?? "");
          if (key === undefined) break;
          if (reverse ? key < from : to !== undefined && key >= to) break;
          cursor = reverse ? key : `${key}\0`;
          const value = this.#at(key, sequence);
          if (value !== undefined) entries.push([bytesOf(key), value.slice()]);
        }
        return entries;
      },
      close: async () => {
        if (isOpen) this.release();
        isOpen = false;
      },
    };
  }

  /** Bytes of keys and values in [from, to), as they stand now. */
  bytesBetween(from: Uint8Array, to: Uint8Array): number {
    const keys = this.#keys.slice(this.#place(textOf(from)), this.#place(textOf(to)));
    return keys.reduce((sum, key) => {
      const value = this.#at(key, this.#sequence);
      return value === undefined ? sum : sum + key.length + value.byteLength;
    }, 0);
  }

  #at(key: string, sequence: number): Uint8Array | undefined {
    const versions = this.#versions.get(key) ?? [];
    return versions.findLast((version) => version.sequence <= sequence)?.value;
  }

  #set(key: string, value: Uint8Array | undefined): void {
    const known = this.#versions.get(key);
    const version = { sequence: this.#sequence, value };
    if (known === undefined) {
      if (value === undefined) return;
      this.#keys.splice(this.#place(key), 0, key);
      this.#versions.set(key, [version]);
    } else if (this.#readers > 0) {
      known.push(version);
    } else if (value === undefined) {
      this.#keys.splice(this.#place(key), 1);
      this.#versions.delete(key);
    } else {
      this.#versions.set(key, [version]);
    }
  }

  /** Of the first key at or after it. */
  #place(key: string): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#keys[middle] ?? "") < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #atOrAfter(key: string): string | undefined {
    return this.#keys[this.#place(key)];
  }

  #before(key: string | undefined): string | undefined {
    const end = key === undefined ? this.#keys.length : this.#place(key);
    return this.#keys[end - 1];
  }
}
