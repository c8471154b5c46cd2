// Ends of keys and tokens: a span from now, a point in time, or never.
import { parseIsoDate } from "../../../lib/s3/http-date.ts";
import { invalidArgument } from "../admin-error.ts";

const UNITS_MS: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};
const YEARS_100_MS = 100 * 366 * 86_400_000;

/** Milliseconds of "30d", "24h" ... Throws AdminError. */
export function spanMs(text: string): number {
  const parts = /^([1-9][0-9]{0,6})([smhdw])$/.exec(text);
  const ms = Number(parts?.[1] ?? Number.NaN) * (UNITS_MS[parts?.[2] ?? ""] ?? Number.NaN);
  if (ms > 0 && ms <= YEARS_100_MS) return ms;
  throw invalidArgument(`"${text}" is no span like 30d, 12h, 90m or 45s`);
}

/** Milliseconds since 1970 at which it ends; 0n: never. Throws AdminError for what is past. */
export function expiryMs(expires: string | null | undefined, nowMs: number): bigint {
  if (expires === null || expires === undefined) return 0n;
  if (!/^[0-9]{4}-/.test(expires)) return BigInt(nowMs + spanMs(expires));
  const at = parseIsoDate(expires);
  if (at === undefined) throw invalidArgument(`"${expires}" is no RFC 3339 time`);
  if (at <= nowMs) throw invalidArgument(`${expires} is past`);
  return BigInt(at);
}
