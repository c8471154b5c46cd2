// An ordered key-value store (LevelDB). Keys and values are bytes; order is byte order. LevelDB
// does not notice bit rot, so callers store checksummed values and may verify the files (lib/host).

export interface KvPut {
  readonly type: "put";
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

export interface KvDelete {
  readonly type: "delete";
  readonly key: Uint8Array;
}

export type KvOperation = KvPut | KvDelete;
export type KvEntry = readonly [key: Uint8Array, value: Uint8Array];

/** Half-open range [from, to); a missing end is unbounded. */
export interface KvRange {
  readonly from?: Uint8Array;
  readonly to?: Uint8Array;
  readonly reverse?: boolean;
}

export interface KvIterator {
  /** Moves to the first key at or after `key` (at or before it when reversed). */
  seek(key: Uint8Array): void;
  /** The next entries, at most `count`; empty at the end. */
  next(count: number): Promise<KvEntry[]>;
  close(): Promise<void>;
}

export interface KvReader {
  get(key: Uint8Array): Uint8Array | undefined;
  getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]>;
  iterate(range: KvRange): KvIterator;
  /**
   * Bytes that the entries of [from, to) take in the store, roughly: what was written last may be
   * missing, and a snapshot answers for the store as it is now. Costs the same for any range.
   */
  approximateBytes(from: Uint8Array, to: Uint8Array): Promise<number>;
}

/** A frozen state of the store; close it. */
export interface KvSnapshot extends KvReader {
  close(): Promise<void>;
}

export interface Kv extends KvReader {
  /** All or nothing. With `sync`, power-safe when it resolves. */
  write(operations: readonly KvOperation[], options?: { readonly sync?: boolean }): Promise<void>;
  snapshot(): KvSnapshot;
  /** Compacts the whole key space (after large deletions). */
  compact(): Promise<void>;
  close(): Promise<void>;
}

/** Opens or creates stores. `open` throws "corrupt" when the files do not verify or do not open. */
export interface KvFactory {
  open(path: string): Promise<Kv>;
  /**
   * Checks every checksum in the store's files without opening it: tables, write-ahead logs and
   * manifests. Throws StoreError "corrupt" naming the file. A torn tail of the newest log is no
   * error.
   */
  verify(path: string): Promise<void>;
  destroy(path: string): Promise<void>;
}
