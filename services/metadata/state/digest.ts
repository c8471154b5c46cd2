// A digest of a set of entries that does not depend on their order, so that it can be kept up to
// date by subtracting what goes and adding what comes. Four lanes of 32 bits; an entry adds a hash
// of its key, the checksum of its value and the length. Replicas compare digests to notice that
// they differ by accident; it is no defence against forgers.
import { assert } from "../../lib/base/assert.ts";
import { CHECKSUM_BYTES, storedChecksum } from "./checked-value.ts";

export const DIGEST_BYTES = 16;

function mix(hash: number, word: number, factor: number, turn: number): number {
  const mixed = Math.imul(hash ^ Math.imul(word, factor), 0x9e3779b1);
  return ((mixed << turn) | (mixed >>> (32 - turn))) + factor;
}

function finish(hash: number): number {
  let mixed = hash ^ (hash >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) | 0;
}

export class Digest {
  #a = 0;
  #b = 0;
  #c = 0;
  #d = 0;

  /** `bytes`: what `bytes()` gave; empty for the digest of nothing. */
  constructor(bytes: Uint8Array = new Uint8Array(0)) {
    if (bytes.byteLength === 0) return;
    assert(bytes.byteLength === DIGEST_BYTES, "Digest: wrong length");
    const view = new DataView(bytes.buffer, bytes.byteOffset, DIGEST_BYTES);
    this.#a = view.getInt32(0);
    this.#b = view.getInt32(4);
    this.#c = view.getInt32(8);
    this.#d = view.getInt32(12);
  }

  add(key: Uint8Array, stored: Uint8Array): void {
    this.#change(key, stored, 1);
  }

  subtract(key: Uint8Array, stored: Uint8Array): void {
    this.#change(key, stored, -1);
  }

  bytes(): Uint8Array {
    const view = new DataView(new ArrayBuffer(DIGEST_BYTES));
    view.setInt32(0, this.#a);
    view.setInt32(4, this.#b);
    view.setInt32(8, this.#c);
    view.setInt32(12, this.#d);
    return new Uint8Array(view.buffer);
  }

  #change(key: Uint8Array, stored: Uint8Array, sign: 1 | -1): void {
    let a = 0x243f6a88;
    let b = 0x13198a2e;
    let c = 0x299f31d0;
    let d = 0x452821e6;
    const step = (word: number): void => {
      a = mix(a, word, 0xcc9e2d51, 15);
      b = mix(b, word, 0x1b873593, 17);
      c = mix(c, word, 0x38b34ae5, 13);
      d = mix(d, word, 0xa1e38b93, 16);
    };
    const length = key.byteLength;
    let at = 0;
    for (; at + 4 <= length; at += 4) {
      step(
        (key[at] ?? 0) |
          ((key[at + 1] ?? 0) << 8) |
          ((key[at + 2] ?? 0) << 16) |
          ((key[at + 3] ?? 0) << 24),
      );
    }
    let rest = 0;
    for (; at < length; at += 1) rest = (rest << 8) | (key[at] ?? 0);
    step(rest);
    step(length);
    step(storedChecksum(stored));
    step(stored.byteLength - CHECKSUM_BYTES);
    this.#a = (this.#a + sign * finish(a)) | 0;
    this.#b = (this.#b + sign * finish(b)) | 0;
    this.#c = (this.#c + sign * finish(c)) | 0;
    this.#d = (this.#d + sign * finish(d)) | 0;
  }
}
