// Strict base64 (RFC 4648 §4): padded, no line ends, no stray bits. Node's decoder skips what it
// does not know, which would let several texts stand for one digest.

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** The bytes `text` encodes, or undefined when it is not the one canonical encoding of them. */
export function decodeBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0 || !BASE64.test(text)) return undefined;
  const bytes = Buffer.from(text, "base64");
  return bytes.toString("base64") === text ? bytes : undefined;
}

export function encodeBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}
