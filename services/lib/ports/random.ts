// Randomness as a port, so that a seed replays a run.

export interface Random {
  /** `count` fresh bytes, owned by the caller. */
  bytes(count: number): Uint8Array;
  /** An integer in [0, bound), bound ≤ 2^48. */
  below(bound: number): number;
}
