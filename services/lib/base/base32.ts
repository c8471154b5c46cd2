// Base32 (RFC 4648 section 6), without padding: for names and secrets that people read out and that
// no client turns into other letters.
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** 8 characters for 5 bytes; the bits that are missing at the end count as zero. */
export function base32(bytes: Uint8Array): string {
  let text = "";
  let held = 0;
  let bits = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET[(held >> bits) & 31] ?? "";
    }
    held &= (1 << bits) - 1;
  }
  return bits === 0 ? text : text + (ALPHABET[(held << (5 - bits)) & 31] ?? "");
}
