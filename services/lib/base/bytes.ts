// Views over bytes: comparing, wrapping, printing. Nothing here copies unless its name says so.

/** `view` as a Buffer over the same memory; itself where it is one. */
export function asBuffer(view: Uint8Array): Buffer {
  if (Buffer.isBuffer(view)) return view;
  return Buffer.from(view.buffer, view.byteOffset, view.byteLength);
}

/** Copies `view` into memory of its own, so that a larger frame it points into can be freed. */
export function copyBytes(view: Uint8Array): Uint8Array {
  return new Uint8Array(view);
}

/** Byte order as LevelDB and S3 listings use it: negative, zero or positive. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b);
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && Buffer.compare(a, b) === 0;
}

export function toHex(view: Uint8Array): string {
  return asBuffer(view).toString("hex");
}

/**
 * Copies lower- or upper-case hex into bytes; undefined when `text` is not an even run of hex
 * digits.
 */
export function fromHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) return undefined;
  return Buffer.from(text, "hex");
}

/**
 * UTF-8 bytes of `text`. Lone surrogates become U+FFFD: check with `isWellFormed` where it matters.
 */
export function utf8(text: string): Uint8Array {
  return Buffer.from(text, "utf8");
}

/** Whole texts only, so it keeps nothing between calls; making one costs more than most texts. */
const STRICT_UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Text of UTF-8 `view`; undefined when the bytes are not valid UTF-8. */
export function fromUtf8(view: Uint8Array): string | undefined {
  try {
    return STRICT_UTF8.decode(view);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

/** A number read from a 64-bit field; throws RangeError past 2^53-1. */
export function toSafeNumber(value: bigint): number {
  if (value < 0n || value > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new RangeError(`out of the safe integer range: ${value}`);
  }
  return Number(value);
}
