// Heavy pure work as a port, so that it may run on other threads. Buffers are borrowed until the
// promise resolves.

export interface ErasureCompute {
  /**
   * Computes parity for one stripe. `data`: k views of equal length; `parity`: m views of that
   * length, overwritten. Cost O(k · m · length).
   */
  encode(data: readonly Uint8Array[], parity: readonly Uint8Array[]): void;
  /**
   * Rebuilds missing shards of one stripe in place. `shards`: k+m entries of equal length,
   * `undefined` where unknown; at least k must be known. Returns the shards named in `wanted`,
   * newly allocated. Throws StoreError "corrupt" when fewer than k are known.
   */
  reconstruct(
    shards: readonly (Uint8Array | undefined)[],
    scheme: { readonly k: number; readonly m: number },
    wanted: readonly number[],
  ): Uint8Array[];
}

/** Hashes of one stream of bytes, computed on another thread. One call at a time. */
export interface BackgroundHash {
  /**
   * Hashes `view` after what came before. Undefined: it was copied; else it is borrowed until the
   * promise resolves, and nothing else may be called. Throws StoreError "internal" when the thread
   * is gone.
   */
  update(view: Uint8Array): Promise<void> | undefined;
  /** Ends the stream: its digests, in the order of the names. Throws StoreError "internal". */
  digests(): Promise<readonly Uint8Array[]>;
  /** Nothing more is wanted; harmless at any time, and owed where `digests` is not called. */
  abandon(): void;
}

export interface HashCompute {
  /** Streams of at least so many bytes are worth another thread. */
  readonly bytesMin: number;
  /** `names` as node:crypto has them. Undefined while no further stream is taken: hash here. */
  open(names: readonly string[]): BackgroundHash | undefined;
}
