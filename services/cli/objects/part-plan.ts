// How a body is cut: the size of its parts and the byte range of each. Pure. S3 allows 10,000 parts
// of 5 MiB to 5 GiB (the last may be smaller), so large bodies get larger parts than asked for.
import { assert } from "../../lib/base/assert.ts";
import { UsageError } from "../command-line.ts";

export const PARTS_MAX = 10_000;
const MIB = 1024 * 1024;
export const PART_BYTES_MIN = 5 * MIB;
export const PART_BYTES_MAX = 5 * 1024 * MIB;
export const PART_BYTES_DEFAULT = 8 * MIB;
/** One CopyObject copies at most 5 GiB; no byte of a copied part passes here. */
export const COPY_LIMITS = { wholeBytesMax: 5 * 1024 * MIB, partBytes: 512 * MIB };

export interface PartRange {
  /** From 1. */
  readonly number: number;
  readonly offset: number;
  readonly bytes: number;
}

/** Throws UsageError for a size that S3 would refuse. */
export function checkPartBytes(bytes: number): number {
  if (bytes < PART_BYTES_MIN || bytes > PART_BYTES_MAX) {
    throw new UsageError("--part-size must be from 5MiB to 5GiB");
  }
  return bytes;
}

/** The asked part size, or the smallest whole MiB above it that needs no more than PARTS_MAX. */
export function partBytesFor(size: number, asked: number): number {
  if (size <= asked * PARTS_MAX) return asked;
  return Math.ceil(size / PARTS_MAX / MIB) * MIB;
}

/** The ranges of `size` bytes, in order; one empty range for an empty body. */
export function partRanges(size: number, partBytes: number): PartRange[] {
  assert(partBytes > 0, "partRanges: no part size");
  const count = Math.max(1, Math.ceil(size / partBytes));
  return Array.from({ length: count }, (_, index) => {
    const offset = index * partBytes;
    return { number: index + 1, offset, bytes: Math.min(partBytes, size - offset) };
  });
}

/**
 * Size of part `number` of a stream whose length nobody knows: doubled every 1,000 parts, so that
 * 10,000 parts of 8 MiB at first reach 8 TiB, beyond what an object may hold.
 */
export function streamPartBytes(number: number, asked: number): number {
  return Math.min(PART_BYTES_MAX, asked * 2 ** Math.floor((number - 1) / 1000));
}
