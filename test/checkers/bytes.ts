// Bodies that follow from the id of their value, so that what is read can be compared byte by byte
// without keeping it: wrong bytes, short bodies and halves of two values are told apart.
import { seededBytes } from "../support/seeded-bytes.ts";

export interface Written {
  readonly value: string;
  readonly size: number;
}

export function bodyOf({ value, size }: Written): Buffer {
  return seededBytes(value, size);
}

/**
 * Undefined when `received` is the body of `written` from `offset` on (of the whole when left out);
 * else what is wrong.
 */
export function wrongBytes(
  written: Written,
  received: Uint8Array,
  range: { readonly offset: number; readonly length: number } = {
    offset: 0,
    length: written.size,
  },
): string | undefined {
  const expected = bodyOf(written).subarray(range.offset, range.offset + range.length);
  if (received.byteLength !== expected.byteLength) {
    return `${written.value}: ${received.byteLength} bytes instead of ${expected.byteLength}`;
  }
  if (expected.equals(received)) return undefined;
  const first = expected.findIndex((byte, at) => byte !== received[at]);
  const wrong = expected.reduce((sum, byte, at) => sum + (byte === received[at] ? 0 : 1), 0);
  const where = `from offset ${range.offset + first} on`;
  return `${written.value}: ${wrong} of ${expected.byteLength} bytes differ, ${where}`;
}
