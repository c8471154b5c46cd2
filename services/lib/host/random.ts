// The operating system's cryptographic randomness behind the port.
import { randomBytes, randomFillSync, randomInt } from "node:crypto";
import { assert } from "../base/assert.ts";
import type { Random } from "../ports/random.ts";

const BOUND_MAX = 2 ** 48;

/** Ids and nonces are short, and asking the generator costs as much for 8 bytes as for 1000. */
const POOLED_MAX = 32;
const POOL_BYTES = 2048;

export function createRandom(): Random {
  const pool = new Uint8Array(POOL_BYTES);
  let used = POOL_BYTES;

  /** Each byte of the generator is given out once, and is not kept here afterwards. */
  function takePooled(count: number): Uint8Array {
    if (used + count > POOL_BYTES) {
      randomFillSync(pool);
      used = 0;
    }
    const bytes = pool.slice(used, used + count);
    pool.fill(0, used, used + count);
    used += count;
    return bytes;
  }

  return {
    bytes(count: number): Uint8Array {
      assert(Number.isSafeInteger(count) && count >= 0, "random: bad byte count");
      return count <= POOLED_MAX ? takePooled(count) : randomBytes(count);
    },
    below(bound: number): number {
      assert(Number.isSafeInteger(bound), "random: bound is not an integer");
      assert(bound >= 1 && bound <= BOUND_MAX, "random: bound out of range");
      // Node's randomInt takes ranges below 2^48 only: the full range is six bytes as they come.
      return bound === BOUND_MAX ? randomBytes(6).readUIntBE(0, 6) : randomInt(bound);
    },
  };
}
