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
