// Values of policy conditions: numbers, times, truth values, ARNs and bytes, read from text in the
// forms IAM takes, exactly: what is not one of them is undefined, never something near.
// Source: AWS IAM user guide, "IAM JSON policy elements: Condition operators".
import { decodeBase64 } from "../base64.ts";

const FRACTION_DIGITS = 9;
const NUMBER = new RegExp(`^([+-]?)([0-9]{1,30})(?:\\.([0-9]{1,${FRACTION_DIGITS}}))?$`);

/** A decimal number in billionths. */
export function parseNumber(text: string): bigint | undefined {
  const [, sign, whole, fraction = ""] = NUMBER.exec(text) ?? [];
  if (whole === undefined) return undefined;
  const size = BigInt(whole + fraction.padEnd(FRACTION_DIGITS, "0"));
  return sign === "-" ? -size : size;
}

const DAY = /^([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?$/;
const TIME =
  /^([0-9]{4}-[0-9]{2}-[0-9]{2})T([0-9]{2}:[0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?(Z|[+-][0-9]{2}:[0-9]{2})$/;

/** Milliseconds since 1970 of an ISO 8601 date as W3C profiles it, or of seconds since 1970. */
export function parseTime(text: string): number | undefined {
  if (/^[0-9]{5,15}$/.test(text)) return Number(text) * 1000;
  if (DAY.test(text)) return dayMs(text);
  const [, day, minute, second = "00", fraction = "", zone] = TIME.exec(text) ?? [];
  if (day === undefined || minute === undefined || zone === undefined) return undefined;
  if (dayMs(day) === undefined) return undefined;
  const ms = Date.parse(`${day}T${minute}:${second}.${fraction.slice(0, 3).padEnd(3, "0")}${zone}`);
  return Number.isNaN(ms) ? undefined : ms;
}

/** Refuses days that the month does not have, which Date.parse takes for days of the next. */
function dayMs(text: string): number | undefined {
  const [, year, month = "01", day = "01"] = DAY.exec(text) ?? [];
  const ms = Date.parse(`${year}-${month}-${day}T00:00:00.000Z`);
  if (Number.isNaN(ms) || new Date(ms).getUTCDate() !== Number(day)) return undefined;
  return ms;
}

export function parseTruth(text: string): boolean | undefined {
  const lower = text.toLowerCase();
  return lower === "true" ? true : lower === "false" ? false : undefined;
}

/** Base64 with padding. */
export function parseBytes(text: string): Uint8Array | undefined {
  return decodeBase64(text);
}

const ARN_PARTS = 6;

/** The six parts of an ARN; the last may hold colons. */
export function parseArn(text: string): readonly string[] | undefined {
  const pieces = text.split(":");
  if (pieces.length < ARN_PARTS || pieces[0] !== "arn") return undefined;
  return [...pieces.slice(0, ARN_PARTS - 1), pieces.slice(ARN_PARTS - 1).join(":")];
}
