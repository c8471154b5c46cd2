// Dates of HTTP (RFC 9110 §5.6.7) and of AWS. Parses IMF-fixdate, RFC 850 and asctime forms and
// checks every field (no 31 February); never uses Date.parse, whose reading of other forms is up
// to the engine.
import { parseDecimal } from "./integers.ts";

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun"].concat([
  "Jul",
  "Aug",
  "Sep",
  "Oct",
  "Nov",
  "Dec",
]);
const MONTH_GROUP = "(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)";
const TIME_GROUP = "(\\d{2}):(\\d{2}):(\\d{2})";
const IMF_FIXDATE = new RegExp(
  `^(?:[A-Z][a-z]{2}, )?(\\d{1,2}) ${MONTH_GROUP} (\\d{4}) ${TIME_GROUP} (?:GMT|UTC|[+-]0000)$`,
);
const RFC_850 = new RegExp(`^[A-Z][a-z]{5,8}, (\\d{2})-${MONTH_GROUP}-(\\d{2}) ${TIME_GROUP} GMT$`);
const ASCTIME = new RegExp(`^[A-Z][a-z]{2} ${MONTH_GROUP} ([ \\d]\\d) ${TIME_GROUP} (\\d{4})$`);
const ISO_DATE = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.\d{1,9})?Z$/;
const AMZ_DATE = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z$/;

interface DateFields {
  readonly year: number;
  /** 0 is January. */
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
}

/**
 * Milliseconds since 1970 of an HTTP date, or undefined when it is none. `nowMs` places the
 * two-digit year of RFC 850 dates: one more than 50 years ahead means the past century.
 */
export function parseHttpDate(text: string, nowMs: number): number | undefined {
  const imf = IMF_FIXDATE.exec(text);
  if (imf !== null) return toMs(fieldsOf(imf[3], imf[2], [imf[1], imf.slice(4)]));
  const rfc850 = RFC_850.exec(text);
  if (rfc850 !== null) return parseRfc850(rfc850, nowMs);
  const asctime = ASCTIME.exec(text);
  if (asctime === null) return undefined;
  return toMs(fieldsOf(asctime[6], asctime[1], [asctime[2]?.trim(), asctime.slice(3)]));
}

function parseRfc850(match: RegExpExecArray, nowMs: number): number | undefined {
  const nowYear = new Date(nowMs).getUTCFullYear();
  const year = nowYear - (nowYear % 100) + (parseDecimal(match[3] ?? "") ?? Number.NaN);
  const nearest = year > nowYear + 50 ? year - 100 : year;
  return toMs(fieldsOf(String(nearest), match[2], [match[1], match.slice(4)]));
}

/** Milliseconds since 1970 of `yyyymmddThhmmssZ`, or undefined when `text` is none. */
export function parseAmzDate(text: string): number | undefined {
  return parseNumeric(AMZ_DATE.exec(text));
}

/** As parseAmzDate for `2009-10-12T17:50:30.000Z`, in whole seconds: fractions are cut off. */
export function parseIsoDate(text: string): number | undefined {
  return parseNumeric(ISO_DATE.exec(text));
}

function parseNumeric(match: RegExpExecArray | null): number | undefined {
  if (match === null) return undefined;
  const month = MONTHS[(parseDecimal(match[2] ?? "") ?? 0) - 1];
  return toMs(fieldsOf(match[1], month, [match[3], match.slice(4)]));
}

/** `Sun, 06 Nov 1994 08:49:37 GMT`; milliseconds are cut off. */
export function formatHttpDate(ms: number): string {
  // ECMA-262, Date.prototype.toUTCString, has this very form.
  return new Date(ms).toUTCString();
}

/** `yyyymmddThhmmssZ`, the form of x-amz-date; milliseconds are cut off. */
export function formatAmzDate(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replaceAll(/[-:]/g, "")}Z`;
}

const DAY_MS = 86_400_000;
const TWO_DIGITS = Array.from({ length: 60 }, (_, at) => String(at).padStart(2, "0"));
const THREE_DIGITS = Array.from({ length: 1000 }, (_, at) => String(at).padStart(3, "0"));

/** As formatIsoDate, for many dates that are mostly of one day. */
export class IsoDates {
  #dayNumber = Number.NaN;
  /** `2009-10-12T` */
  #day = "";

  format(ms: number): string {
    const dayNumber = Math.floor(ms / DAY_MS);
    if (dayNumber !== this.#dayNumber) {
      this.#day = formatIsoDate(dayNumber * DAY_MS).slice(0, -"00:00:00.000Z".length);
      this.#dayNumber = dayNumber;
    }
    const inDay = Math.floor(ms) - dayNumber * DAY_MS;
    const seconds = Math.floor(inDay / 1000);
    const minutes = Math.floor(seconds / 60);
    const hour = TWO_DIGITS[Math.floor(minutes / 60)];
    const time = `${hour}:${TWO_DIGITS[minutes % 60]}:${TWO_DIGITS[seconds % 60]}`;
    return `${this.#day}${time}.${THREE_DIGITS[inDay % 1000]}Z`;
  }
}

/** `2009-10-12T17:50:30.000Z`, the form of LastModified in XML documents. */
export function formatIsoDate(ms: number): string {
  return new Date(ms).toISOString();
}

function fieldsOf(
  year: string | undefined,
  month: string | undefined,
  [day, time]: readonly [string | undefined, readonly string[]],
): DateFields {
  const number = (text: string | undefined): number => parseDecimal(text ?? "") ?? Number.NaN;
  return {
    year: number(year),
    month: MONTHS.indexOf(month ?? ""),
    day: number(day),
    hour: number(time[0]),
    minute: number(time[1]),
    second: number(time[2]),
  };
}

function toMs(fields: DateFields): number | undefined {
  const { year, month, day, hour, minute } = fields;
  // A leap second is the last of its minute: HTTP writes 60, the clock has 59.
  const second = fields.second === 60 ? 59 : fields.second;
  const date = new Date(0);
  date.setUTCFullYear(year, month, day);
  date.setUTCHours(hour, minute, second);
  const same =
    date.getUTCFullYear() === year &&
    date.getUTCMonth() === month &&
    date.getUTCDate() === day &&
    date.getUTCHours() === hour &&
    date.getUTCMinutes() === minute &&
    date.getUTCSeconds() === second;
  return same ? date.getTime() : undefined;
}
