// Values of policy conditions: numbers, times, truth values, address ranges, ARNs and bytes, read
// from text in the forms IAM takes, exactly: what is not one of them is undefined, never something
// near. Source: AWS IAM user guide, "IAM JSON policy elements: Condition operators"; RFC 4291
// section 2.2.
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

/** An address as an IPv6 number; those of IPv4 are mapped (`::ffff:a.b.c.d`). */
export interface AddressRange {
  readonly address: bigint;
  /** Bits that count, of 128. */
  readonly prefix: number;
}

const BITS = 128;
const MAPPED = 0xffffn << 32n;
const MAPPED_PREFIX = 96;

export function parseAddress(text: string): bigint | undefined {
  const v4 = parseV4(text);
  return v4 === undefined ? parseV6(text) : MAPPED | v4;
}

/** One address, or a CIDR range; bits of the host are left out of account. */
export function parseRange(text: string): AddressRange | undefined {
  const [written = "", prefixText, ...more] = text.split("/", 3);
  const address = parseAddress(written);
  if (address === undefined || more.length > 0) return undefined;
  if (prefixText === undefined) return { address, prefix: BITS };
  if (!/^(?:0|[1-9][0-9]{0,2})$/.test(prefixText)) return undefined;
  const prefix = Number(prefixText) + (written.includes(":") ? 0 : MAPPED_PREFIX);
  return prefix > BITS ? undefined : { address, prefix };
}

export function isInRange(address: bigint, range: AddressRange): boolean {
  const shift = BigInt(BITS - range.prefix);
  return address >> shift === range.address >> shift;
}

const DOT = 0x2e;
const ZERO = 0x30;

/**
 * Four decimal numbers of a byte, without needless zeros; character by character, since long lists
 * of ranges are read for every request.
 */
function parseV4(text: string): bigint | undefined {
  let address = 0;
  let octet = -1;
  let count = 0;
  for (let index = 0; index <= text.length; index += 1) {
    const code = index < text.length ? text.charCodeAt(index) : DOT;
    if (code === DOT) {
      if (octet < 0) return undefined;
      address = address * 256 + octet;
      octet = -1;
      count += 1;
      continue;
    }
    const digit = code - ZERO;
    if (digit < 0 || digit > 9 || octet === 0) return undefined;
    octet = octet < 0 ? digit : octet * 10 + digit;
    if (octet > 255) return undefined;
  }
  return count === 4 ? BigInt(address) : undefined;
}

const GROUPS = 8;

function parseV6(text: string): bigint | undefined {
  if (text.length > 45 || !text.includes(":")) return undefined;
  const halves = text.split("::", 3);
  const [head = "", tail] = halves;
  if (halves.length > 2) return undefined;
  const isWhole = tail === undefined;
  const high = groupsOf(head, isWhole);
  const low = groupsOf(tail ?? "", true);
  if (high === undefined || low === undefined) return undefined;
  const missing = GROUPS - high.length - low.length;
  if (isWhole ? missing !== 0 : missing < 1) return undefined;
  const groups = [...high, ...Array.from({ length: missing }, () => 0n), ...low];
  return groups.reduce((address, group) => (address << 16n) | group, 0n);
}

/** Groups of 16 bits; at the end of an address the last two may be written as IPv4. */
function groupsOf(text: string, atEnd: boolean): readonly bigint[] | undefined {
  if (text === "") return [];
  const parts = text.split(":", GROUPS + 1);
  const groups: bigint[] = [];
  for (const [index, part] of parts.entries()) {
    const v4 = atEnd && index === parts.length - 1 ? parseV4(part) : undefined;
    if (v4 !== undefined) groups.push(v4 >> 16n, v4 & 0xffffn);
    else if (/^[0-9A-Fa-f]{1,4}$/.test(part)) groups.push(BigInt(`0x${part}`));
    else return undefined;
  }
  return groups;
}

const ARN_PARTS = 6;

/** The six parts of an ARN; the last may hold colons. */
export function parseArn(text: string): readonly string[] | undefined {
  const pieces = text.split(":");
  if (pieces.length < ARN_PARTS || pieces[0] !== "arn") return undefined;
  return [...pieces.slice(0, ARN_PARTS - 1), pieces.slice(ARN_PARTS - 1).join(":")];
}
