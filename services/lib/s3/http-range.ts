// The Range header as S3 reads it: one range of bytes, open or suffix forms included. What is not
// a valid single range (syntax, unit, reversed, several) is ignored and the whole object served,
// RFC 9110 §14.2; a valid range outside the object is 416. Copy ranges are strict instead.
import { assert } from "../base/assert.ts";
import { invalidArgument, S3Error } from "./errors.ts";

const SINGLE_RANGE = /^bytes[ \t]*=[ \t]*([0-9]*)-([0-9]*)$/i;
const COPY_RANGE = /^bytes=([0-9]{1,15})-([0-9]{1,15})$/;
/** Longest header looked at; two 64-bit numbers take far less. */
const HEADER_LENGTH_MAX = 256;

export type RangeSpec =
  /** `last` is included; undefined means to the end. */
  | { readonly kind: "from"; readonly first: number; readonly last: number | undefined }
  /** The last `bytes` bytes. */
  | { readonly kind: "suffix"; readonly bytes: number };

/** A range that lies in the object: both ends included. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/** The single range of a Range header, or undefined when the whole object is to be served. */
export function parseRange(header: string | undefined): RangeSpec | undefined {
  if (header === undefined || header.length > HEADER_LENGTH_MAX) return undefined;
  const match = SINGLE_RANGE.exec(header);
  if (match === null) return undefined;
  const first = clampedNumber(match[1] ?? "");
  const last = clampedNumber(match[2] ?? "");
  if (first === undefined) return last === undefined ? undefined : { kind: "suffix", bytes: last };
  if (last !== undefined && last < first) return undefined;
  return { kind: "from", first, last };
}

/** Digits as a number; past 2^53-1 that limit, which lies behind the end of any object. */
function clampedNumber(digits: string): number | undefined {
  return digits === "" ? undefined : Math.min(Number(digits), Number.MAX_SAFE_INTEGER);
}

/** Lays `spec` over an object of `size` bytes. */
export function resolveRange(spec: RangeSpec, size: number): ByteRange | "unsatisfiable" {
  assert(Number.isSafeInteger(size) && size >= 0, "resolveRange: bad size");
  if (spec.kind === "suffix") {
    if (spec.bytes === 0 || size === 0) return "unsatisfiable";
    return { first: Math.max(0, size - spec.bytes), last: size - 1 };
  }
  if (spec.first >= size) return "unsatisfiable";
  return { first: spec.first, last: Math.min(spec.last ?? size - 1, size - 1) };
}

/** The 416 answer; `header` is the Range header as sent. */
export function invalidRange(header: string, size: number): S3Error {
  return new S3Error("InvalidRange", undefined, {
    details: [
      ["RangeRequested", header],
      ["ActualObjectSize", String(size)],
    ],
  });
}

/** `bytes first-last/size`, the Content-Range of a 206 answer. */
export function formatContentRange(range: ByteRange, size: number): string {
  assert(range.first <= range.last && range.last < size, "formatContentRange: not within the size");
  return `bytes ${range.first}-${range.last}/${size}`;
}

/** x-amz-copy-source-range, which must name both ends. Throws InvalidArgument. */
export function parseCopySourceRange(header: string): ByteRange {
  const match = COPY_RANGE.exec(header);
  const first = Number(match?.[1] ?? Number.NaN);
  const last = Number(match?.[2] ?? Number.NaN);
  if (first <= last) return { first, last };
  throw invalidArgument(
    "The x-amz-copy-source-range value must be of the form bytes=first-last where first and " +
      "last are the zero-based offsets of the first and last bytes to copy",
    "x-amz-copy-source-range",
    header,
  );
}

/** Throws InvalidArgument unless `range` lies in a source of `size` bytes. */
export function checkCopySourceRange(range: ByteRange, size: number): void {
  if (range.last < size) return;
  throw invalidArgument(
    `Range specified is not valid for source object of size: ${size}`,
    "x-amz-copy-source-range",
    `bytes=${range.first}-${range.last}`,
  );
}
