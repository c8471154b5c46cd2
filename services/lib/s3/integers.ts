// Strict decimal and hexadecimal integers. Accepts digits only: no sign, space, exponent, fraction,
// prefix or empty text, and nothing past 2^53-1, so that Number's and parseInt's readings of bad
// input ('' = 0, '1e3' = 1000, '12abc' = 12) never reach the protocol.
const DECIMAL = /^[0-9]{1,19}$/;
const HEXADECIMAL = /^[0-9a-fA-F]{1,16}$/;

/** The number `text` writes in decimal digits, or undefined; also when past 2^53-1. */
export function parseDecimal(text: string): number | undefined {
  if (!DECIMAL.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** As parseDecimal, and undefined outside `min`..`max` (both included). */
export function parseDecimalWithin(text: string, min: number, max: number): number | undefined {
  const value = parseDecimal(text);
  return value === undefined || value < min || value > max ? undefined : value;
}

/** The number `text` writes in hexadecimal digits, or undefined; also when past 2^53-1. */
export function parseHexadecimal(text: string): number | undefined {
  if (!HEXADECIMAL.test(text)) return undefined;
  const value = Number.parseInt(text, 16);
  return Number.isSafeInteger(value) ? value : undefined;
}
