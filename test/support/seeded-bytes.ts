// Reproducible test bodies: bytes from a seed, equal for equal seeds, cheap to make and to hash.
import { createCipheriv, createHash } from "node:crypto";

/** `length` bytes made from `seed` (AES-CTR key stream). */
export function seededBytes(seed: string, length: number): Buffer {
  const key = createHash("sha256").update(seed).digest();
  const cipher = createCipheriv("aes-256-ctr", key, Buffer.alloc(16));
  return cipher.update(Buffer.alloc(length));
}

export function sha256Hex(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** A small generator of numbers in [0, 1), the same for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/**
 * A seed for this run, from DOLIUM_TEST_SEED or the clock; printed so that a failure can be
 * repeated.
 */
export function runSeed(name: string): number {
  const given = process.env.DOLIUM_TEST_SEED;
  const seed = given === undefined ? Date.now() % 1_000_000_007 : Number(given);
  process.stderr.write(`${name}: DOLIUM_TEST_SEED=${seed}\n`);
  return seed;
}
