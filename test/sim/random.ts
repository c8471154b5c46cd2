// Seeded randomness for tests and the simulator: the same seed gives the same run. Not for secrets.
import { assert } from "../../services/lib/base/assert.ts";
import type { Random } from "../../services/lib/ports/random.ts";

export interface SimRandom extends Random {
  /** True with probability `share` (0..1). */
  chance(share: number): boolean;
  /** A number in [0, 1). */
  unit(): number;
  /** An integer in [from, to]. */
  between(from: number, to: number): number;
  /** One of `items`, which must not be empty. */
  pick<T>(items: readonly T[]): T;
  /** An independent stream, named so that adding draws to one does not shift another. */
  fork(name: string): SimRandom;
}

/** FNV-1a over the text, mixed with `seed`. */
function mixName(seed: number, name: string): number {
  let hash = (seed ^ 0x811c9dc5) >>> 0;
  for (let at = 0; at < name.length; at += 1) {
    hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193) >>> 0;
  }
  return hash;
}

/** Marsaglia-style 32-bit counter generator with a murmur finalizer (splitmix32). */
export function createSimRandom(seed: number): SimRandom {
  let state = (seed ^ Math.floor(seed / 2 ** 32)) >>> 0;
  function next(): number {
    state = (state + 0x9e3779b9) >>> 0;
    let word = state;
    word = Math.imul(word ^ (word >>> 16), 0x21f0aaad);
    word = Math.imul(word ^ (word >>> 15), 0x735a2d97);
    return (word ^ (word >>> 15)) >>> 0;
  }
  const unit = (): number => next() / 2 ** 32;
  function below(bound: number): number {
    assert(bound >= 1 && bound <= 2 ** 48, `random: bad bound ${bound}`);
    if (bound <= 2 ** 32) return Math.floor(unit() * bound);
    return (next() * 2 ** 16 + (next() >>> 16)) % bound;
  }
  return {
    unit,
    below,
    bytes: (count) => Uint8Array.from({ length: count }, () => next() >>> 24),
    chance: (share) => unit() < share,
    between: (from, to) => from + below(to - from + 1),
    pick<T>(items: readonly T[]): T {
      assert(items.length > 0, "random: nothing to pick from");
      return items[below(items.length)] as T;
    },
    fork: (name) => createSimRandom(mixName(next(), name)),
  };
}
