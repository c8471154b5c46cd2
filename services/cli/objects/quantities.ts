// Sizes, durations, times, byte ranges and pairs as they are written on a command line. Whatever
// cannot be read is a usage error that names the option.
import { UsageError } from "../command-line.ts";

const SIZE = /^([0-9]{1,15})(?:\.([0-9]{1,3}))?\s*([kmgtp]?)(i?b?)$/i;
const POWERS = ["", "k", "m", "g", "t", "p"];

/** Bytes: `5242880`, `8MiB`, `8M` (powers of 1024), `8MB` (powers of 1000). */
export function parseSize(option: string, text: string): number {
  const match = SIZE.exec(text);
  const suffix = match?.[4]?.toLowerCase() ?? "";
  const power = POWERS.indexOf(match?.[3]?.toLowerCase() ?? "");
  if (match === null || power < 0) {
    throw new UsageError(`--${option} wants a size such as 8MiB, not "${text}"`);
  }
  const unit = suffix === "b" ? 1000 : 1024;
  const bytes = Math.round(Number(`${match[1]}.${match[2] ?? "0"}`) * unit ** power);
  if (!Number.isSafeInteger(bytes)) throw new UsageError(`--${option}: ${text} is too large`);
  return bytes;
}

const DURATION = /^([0-9]{1,9})(s|m|h|d|w)?$/;
const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

/** Seconds: `3600`, `90m`, `12h`, `7d`. */
export function parseDuration(option: string, text: string): number {
  const match = DURATION.exec(text);
  if (match === null) {
    throw new UsageError(`--${option} wants a time span such as 12h or 7d, not "${text}"`);
  }
  return Number(match[1]) * (SECONDS[match[2] ?? "s"] ?? 1);
}

/** Milliseconds since 1970: a span before `nowMs`, or a date such as 2026-01-31T12:00:00Z. */
export function parseTime(option: string, text: string, nowMs: number): number {
  if (DURATION.test(text)) return nowMs - parseDuration(option, text) * 1000;
  const isDate = /^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9:.]+(?:Z|[+-][0-9]{2}:[0-9]{2}))?$/.test(text);
  const time = isDate ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(time)) {
    throw new UsageError(`--${option} wants a span (7d) or a date (2026-01-31), not "${text}"`);
  }
  return time;
}

/** The value of a Range header: `0-99`, `100-`, `-50`. */
export function parseRange(text: string): string {
  const match = /^([0-9]{0,15})-([0-9]{0,15})$/.exec(text);
  const [first, last] = [match?.[1] ?? "", match?.[2] ?? ""];
  const backwards = first !== "" && last !== "" && Number(first) > Number(last);
  if (match === null || (first === "" && last === "") || backwards) {
    throw new UsageError(`--range wants bytes such as 0-99, 100- or -50, not "${text}"`);
  }
  return `bytes=${first}-${last}`;
}

/** `NAME=VALUE` given once or more; the last of a name wins. */
export function parsePairs(
  option: string,
  texts: readonly string[],
): Readonly<Record<string, string>> {
  const pairs = new Map<string, string>();
  for (const text of texts) {
    const equals = text.indexOf("=");
    if (equals < 1) throw new UsageError(`--${option} wants NAME=VALUE, not "${text}"`);
    pairs.set(text.slice(0, equals), text.slice(equals + 1));
  }
  return Object.fromEntries(pairs);
}
