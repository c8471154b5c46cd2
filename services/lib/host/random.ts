// The operating system's cryptographic randomness behind the port.
import { randomBytes, randomInt } from "node:crypto";
import { assert } from "../base/assert.ts";
import type { Random } from "../ports/random.ts";

const BOUND_MAX = 2 ** 48;

export function createRandom(): Random {
  return {
    bytes(count: number): Uint8Array {
      assert(Number.isSafeInteger(count) && count >= 0, "random: bad byte count");
      return randomBytes(count);
    },
    below(bound: number): number {
      assert(Number.isSafeInteger(bound), "random: bound is not an integer");
      assert(bound >= 1 && bound <= BOUND_MAX, "random: bound out of range");
      // Node's randomInt takes ranges below 2^48 only: the full range is six bytes as they come.
      return bound === BOUND_MAX ? randomBytes(6).readUIntBE(0, 6) : randomInt(bound);
    },
  };
}
