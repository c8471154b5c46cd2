// How a sealed body is laid out: blocks of 64 KiB of plain bytes, each followed by its tag. The
// last block may be shorter, is never empty, and its nonce says that it is the last: a body that
// was cut, or whose blocks changed places, does not open. An empty body has no blocks.
// Follows the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár 2015), as Tink's
// AES-GCM-HKDF.
import { assert } from "../base/assert.ts";
import { OBJECT_BYTES_MAX } from "../base/limits.ts";

/** Plain bytes of every block but the last. */
export const BLOCK_BYTES = 64 * 1024;
/** GCM tag behind each block. */
export const TAG_BYTES = 16;
export const SEALED_BLOCK_BYTES = BLOCK_BYTES + TAG_BYTES;

const NONCE_BYTES = 12;
const COUNTER_OFFSET = 7;
const LAST_FLAG_OFFSET = 11;

/** First and last byte, both included. */
export interface ByteSpan {
  readonly first: number;
  readonly last: number;
}

export function blockCount(plainBytes: number): number {
  assert(Number.isSafeInteger(plainBytes) && plainBytes >= 0, "blockCount: bad size");
  assert(plainBytes <= OBJECT_BYTES_MAX, "blockCount: over the largest object");
  return Math.ceil(plainBytes / BLOCK_BYTES);
}

/** Bytes that a body of `plainBytes` takes once it is sealed. */
export function sealedSize(plainBytes: number): number {
  return plainBytes + blockCount(plainBytes) * TAG_BYTES;
}

/** The sealed bytes that must be read to open `span` of a body of `plainBytes`: whole blocks. */
export function sealedSpan(span: ByteSpan, plainBytes: number): ByteSpan {
  assert(span.first >= 0 && span.first <= span.last, "sealedSpan: an empty or reversed span");
  assert(span.last < plainBytes, "sealedSpan: past the end of the body");
  const firstBlock = Math.floor(span.first / BLOCK_BYTES);
  const lastBlock = Math.floor(span.last / BLOCK_BYTES);
  const end = Math.min((lastBlock + 1) * SEALED_BLOCK_BYTES, sealedSize(plainBytes));
  return { first: firstBlock * SEALED_BLOCK_BYTES, last: end - 1 };
}

/** Nonce of block `index` (from 0): zeros, the index in four bytes big-endian, 1 for the last. */
export function blockNonce(index: number, isLast: boolean): Uint8Array {
  const nonce = Buffer.alloc(NONCE_BYTES);
  nonce.writeUInt32BE(index, COUNTER_OFFSET);
  nonce[LAST_FLAG_OFFSET] = isLast ? 1 : 0;
  return nonce;
}
