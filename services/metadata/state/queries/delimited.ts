// Common prefixes: keys that share what stands before the first delimiter after the listing's
// prefix are listed as one. Works on bytes, with a delimiter of any length.
import { asBuffer } from "../../../lib/base/bytes.ts";

/**
 * The common prefix of `key`, delimiter included; undefined when it has none. A view or equal
 * bytes.
 */
export function commonPrefix(
  key: Uint8Array,
  { prefix, delimiter }: { readonly prefix: Uint8Array; readonly delimiter: Uint8Array },
): Uint8Array | undefined {
  if (delimiter.byteLength === 0) return undefined;
  const at = asBuffer(key).indexOf(asBuffer(delimiter), prefix.byteLength);
  return at < 0 ? undefined : key.subarray(0, at + delimiter.byteLength);
}

export function startsWith(key: Uint8Array, prefix: Uint8Array): boolean {
  if (key.byteLength < prefix.byteLength) return false;
  return Buffer.compare(key.subarray(0, prefix.byteLength), prefix) === 0;
}
