// Where the bytes of a body lie: chunks, stripes, cells, shards. Pure arithmetic, the same on every
// side of the wire and for ever, since stored chunks depend on it. A chunk is a row of stripes. A
// full stripe is k data cells of `cellBytes`; the last may be smaller, its cell being the rest
// divided by k, rounded up, so that a small body is hardly padded. Data cells past the end of the
// body count as zeros. Shard i is the row of cell i of every stripe.
import { assert, present } from "../base/assert.ts";
import { StoreError } from "../base/errors.ts";
import {
  CELL_BYTES_MAX,
  CHUNK_BYTES_MAX,
  DATA_SHARDS_MAX,
  PARITY_SHARDS_MAX,
} from "../base/limits.ts";

export interface Scheme {
  /** Data shards, 1..16. */
  readonly k: number;
  /** Parity shards, 0..8. With k = 1 they are copies. */
  readonly m: number;
  /** Cell of a full stripe, 1..CELL_BYTES_MAX. */
  readonly cellBytes: number;
}

/** The cell a policy uses unless it says otherwise. */
export const DEFAULT_CELL_BYTES = 128 * 1024;

/** A run of bytes in one data cell. */
export interface CellSpan {
  /** The data shard, 0..k-1. */
  readonly shardIndex: number;
  /** First byte and end within the cell. */
  readonly from: number;
  readonly to: number;
}

/** What a range needs of one stripe. */
export interface StripeSpan {
  /** The stripe's number, which is also the number of its cells in every shard. */
  readonly stripe: number;
  /** Length of each cell of this stripe. */
  readonly cellBytes: number;
  /** Where the stripe's cell begins in each shard. */
  readonly shardOffset: number;
  /** Where the spans begin in the body of the chunk. */
  readonly bodyOffset: number;
  /** In order; together they are the bytes of the range in this stripe. */
  readonly spans: readonly CellSpan[];
}

/** Throws StoreError "invalid" with a sentence unless `scheme` is within the limits. */
export function checkScheme(scheme: Scheme): void {
  checkRange("data shards", scheme.k, [1, DATA_SHARDS_MAX]);
  checkRange("parity shards", scheme.m, [0, PARITY_SHARDS_MAX]);
  checkRange("cell bytes", scheme.cellBytes, [1, CELL_BYTES_MAX]);
}

function checkRange(what: string, value: number, [min, max]: readonly [number, number]): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new StoreError("invalid", `${what} must be an integer from ${min} to ${max}, not ${value}`);
}

/**
 * Sizes of the chunks of a body of `totalBytes`: full ones, then what is left. None for an empty
 * body.
 */
export function chunkSizes(totalBytes: number, chunkBytes: number = CHUNK_BYTES_MAX): number[] {
  assert(Number.isSafeInteger(totalBytes) && totalBytes >= 0, "chunkSizes: bad size");
  assert(Number.isInteger(chunkBytes) && chunkBytes >= 1, "chunkSizes: bad chunk size");
  assert(chunkBytes <= CHUNK_BYTES_MAX, "chunkSizes: chunk size over the limit");
  const rest = totalBytes % chunkBytes;
  const sizes = new Array<number>((totalBytes - rest) / chunkBytes).fill(chunkBytes);
  if (rest > 0) sizes.push(rest);
  return sizes;
}

function checkChunk(size: number, scheme: Scheme): void {
  checkScheme(scheme);
  checkRange("chunk bytes", size, [1, CHUNK_BYTES_MAX]);
}

/** Bytes of body in a full stripe. */
export function stripeBytes(scheme: Scheme): number {
  return scheme.k * scheme.cellBytes;
}

/**
 * Stripes of a chunk of `size` bytes, at least 1. Throws StoreError "invalid" for a size out of
 * range.
 */
export function stripeCount(size: number, scheme: Scheme): number {
  checkChunk(size, scheme);
  return Math.ceil(size / stripeBytes(scheme));
}

/** Length of every cell, data or parity, of stripe number `stripe`. */
export function cellLength(size: number, scheme: Scheme, stripe: number): number {
  const count = stripeCount(size, scheme);
  assert(Number.isInteger(stripe) && stripe >= 0 && stripe < count, `no stripe ${stripe}`);
  return Math.ceil(stripeBodyBytes(size, scheme, stripe) / scheme.k);
}

/**
 * Bytes of body in stripe number `stripe`, without padding; the body of a stripe begins at stripe *
 * stripeBytes.
 */
export function stripeBodyBytes(size: number, scheme: Scheme, stripe: number): number {
  const full = stripeBytes(scheme);
  return Math.min(full, size - stripe * full);
}

/** Length of every shard of the chunk, the same for all. */
export function shardBytes(size: number, scheme: Scheme): number {
  const last = stripeCount(size, scheme) - 1;
  return last * scheme.cellBytes + cellLength(size, scheme, last);
}

/**
 * The stripes and cells that hold bytes [start, end) of a chunk of `size` bytes, in order. Cells
 * that hold padding only are never named. Throws StoreError "invalid" when the range is empty or
 * not inside.
 */
export function locate(
  size: number,
  scheme: Scheme,
  range: { readonly start: number; readonly end: number },
): StripeSpan[] {
  checkChunk(size, scheme);
  const { start, end } = range;
  const inside = Number.isInteger(start) && Number.isInteger(end) && start >= 0 && end <= size;
  if (!inside || start >= end) {
    throw new StoreError("invalid", `no range [${start}, ${end}) in a chunk of ${size} bytes`);
  }
  const full = stripeBytes(scheme);
  const located: StripeSpan[] = [];
  for (let stripe = Math.floor(start / full); stripe * full < end; stripe += 1) {
    const base = stripe * full;
    const cellBytes = cellLength(size, scheme, stripe);
    const from = Math.max(start, base) - base;
    const to = Math.min(end, base + full) - base;
    located.push({
      stripe,
      cellBytes,
      shardOffset: stripe * scheme.cellBytes,
      bodyOffset: base + from,
      spans: spansOf(from, to, cellBytes),
    });
  }
  return located;
}

/** Bytes [from, to) of a stripe's body by cell. */
function spansOf(from: number, to: number, cellBytes: number): CellSpan[] {
  const spans: CellSpan[] = [];
  for (let at = from; at < to; ) {
    const shardIndex = Math.floor(at / cellBytes);
    const cellStart = shardIndex * cellBytes;
    const stop = Math.min(to, cellStart + cellBytes);
    spans.push({ shardIndex, from: at - cellStart, to: stop - cellStart });
    at = stop;
  }
  return spans;
}

/**
 * The k data cells of a stripe whose body is `body` (1..k*cellBytes bytes), each as long as the
 * stripe's cell. Cells that the body fills are views of it; the others are new, filled up with
 * zeros.
 */
export function cutStripe(body: Uint8Array, scheme: Scheme): Uint8Array[] {
  assert(body.byteLength >= 1 && body.byteLength <= stripeBytes(scheme), "cutStripe: bad length");
  const cellBytes = Math.ceil(body.byteLength / scheme.k);
  return Array.from({ length: scheme.k }, (_, index) => {
    const view = body.subarray(index * cellBytes, (index + 1) * cellBytes);
    if (view.byteLength === cellBytes) return view;
    const padded = new Uint8Array(cellBytes);
    padded.set(view);
    return padded;
  });
}

/**
 * The bytes that `span` names, as views of `cells` (entry i: the stripe's cell of data shard i).
 */
export function spanViews(
  span: StripeSpan,
  cells: readonly (Uint8Array | undefined)[],
): Uint8Array[] {
  return span.spans.map(({ shardIndex, from, to }) => {
    const cell = present(cells[shardIndex], `cell of shard ${shardIndex}`);
    assert(cell.byteLength === span.cellBytes, "a cell has its stripe's length");
    return cell.subarray(from, to);
  });
}
