// Percent-encoding as S3 and Signature Version 4 use it, and its strict inverse. Decoding refuses
// incomplete or non-hexadecimal escapes and bytes that are not UTF-8, so that two different byte
// strings never become the same key. Source: AWS "Create a canonical request", UriEncode.
import { fromUtf8 } from "../base/bytes.ts";
import { S3Error } from "./errors.ts";

const HEX = "0123456789ABCDEF";

/** Byte is A-Z a-z 0-9 - . _ ~ */
function isUnreserved(byte: number): boolean {
  return (
    (byte >= 0x61 && byte <= 0x7a) ||
    (byte >= 0x41 && byte <= 0x5a) ||
    (byte >= 0x30 && byte <= 0x39) ||
    byte === 0x2d ||
    byte === 0x2e ||
    byte === 0x5f ||
    byte === 0x7e
  );
}

/** Percent-encodes all but unreserved characters; with `keepSlash` also leaves `/` alone. */
export function uriEncodeBytes(bytes: Uint8Array, keepSlash: boolean): string {
  let encoded = "";
  for (const byte of bytes) {
    encoded +=
      isUnreserved(byte) || (keepSlash && byte === 0x2f)
        ? String.fromCharCode(byte)
        : `%${HEX.charAt(byte >> 4)}${HEX.charAt(byte & 15)}`;
  }
  return encoded;
}

/** uriEncodeBytes of the UTF-8 form of `text`. */
export function uriEncode(text: string, keepSlash: boolean): string {
  return uriEncodeBytes(Buffer.from(text, "utf8"), keepSlash);
}

/** Keys in listings with encoding-type=url: as uriEncode, `/` and `*` kept, space as `+`. */
export function encodeListingUrl(text: string): string {
  return uriEncode(text, true).replaceAll("%20", "+").replaceAll("%2A", "*");
}

/** Value of one hexadecimal digit, or -1. */
function hexValue(unit: number): number {
  if (unit >= 0x30 && unit <= 0x39) return unit - 0x30;
  if (unit >= 0x41 && unit <= 0x46) return unit - 0x37;
  if (unit >= 0x61 && unit <= 0x66) return unit - 0x57;
  return -1;
}

/**
 * Decodes `raw`, whose characters are bytes (U+0000..U+00FF, as an HTTP parser hands them over);
 * with `plusIsSpace` a `+` is a space, as in query strings. Throws InvalidURI on a bad escape.
 */
export function percentDecode(raw: string, plusIsSpace: boolean): Uint8Array {
  const bytes = new Uint8Array(raw.length);
  let length = 0;
  for (let index = 0; index < raw.length; index += 1) {
    let unit = raw.charCodeAt(index);
    if (unit > 0xff) throw new S3Error("InvalidURI");
    if (unit === 0x25) {
      const high = hexValue(raw.charCodeAt(index + 1));
      const low = hexValue(raw.charCodeAt(index + 2));
      if (high < 0 || low < 0) throw new S3Error("InvalidURI");
      unit = high * 16 + low;
      index += 2;
    } else if (plusIsSpace && unit === 0x2b) {
      unit = 0x20;
    }
    bytes[length] = unit;
    length += 1;
  }
  return bytes.subarray(0, length);
}

/** ASCII in which nothing is encoded. */
const PLAIN_TEXT = /^[\x20-\x24\x26-\x2a\x2c-\x7e]*$/;

/** As percentDecode, read as UTF-8. Throws InvalidURI when the bytes are not UTF-8. */
export function percentDecodeText(raw: string, plusIsSpace: boolean): string {
  if (PLAIN_TEXT.test(raw)) return raw;
  const text = fromUtf8(percentDecode(raw, plusIsSpace));
  if (text === undefined) throw new S3Error("InvalidURI");
  return text;
}
