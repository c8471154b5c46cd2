// The certificate in a file that somebody picked: the first one of a text in PEM, and nothing else
// of that text, so that a private key beside it never leaves the browser; or the bytes as they are,
// in DER.
const FIRST =
  /-----BEGIN CERTIFICATE-----\s+[A-Za-z0-9+/][A-Za-z0-9+/=\s]*-----END CERTIFICATE-----/;
const ANY_PEM = /-----BEGIN [A-Z0-9 ]+-----/;
const BYTES_MAX = 65_536;
const LINE = /.{1,64}/g;

/** PEM of one certificate. Throws Error, with words for people. */
export function certificateOf(bytes: Uint8Array): string {
  if (bytes.byteLength > BYTES_MAX) throw new Error("The file is too large for a certificate.");
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  const found = FIRST.exec(text)?.[0];
  if (found !== undefined) return `${found}\n`;
  // A sequence, as every certificate in DER is.
  const isDer = bytes[0] === 0x30 && !ANY_PEM.test(text);
  if (!isDer) throw new Error("There is no certificate in the file, neither PEM nor DER.");
  const lines = btoa(text).match(LINE) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}
