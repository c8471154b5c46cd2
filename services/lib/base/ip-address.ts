// Addresses and networks of IPv4 and IPv6, as text and compared bit by bit. An address is a number
// of 128 bits; those of IPv4 are mapped (`::ffff:a.b.c.d`), so both forms are one address. Strict:
// what is not exactly an address is none. Source: RFC 4291 section 2.2, RFC 4632.

/** An address, or a network of them. */
export interface AddressRange {
  readonly address: bigint;
  /** Bits that count, of 128. */
  readonly prefix: number;
}

const BITS = 128;
const MAPPED = 0xffffn << 32n;
const MAPPED_PREFIX = 96;
const LOOPBACK_V6 = 1n;
const LOOPBACK_V4 = (MAPPED >> 24n) | 127n;

/** Undefined for what is no address; a zone (`%eth0`) is none of it. */
export function parseAddress(text: string): bigint | undefined {
  const v4 = parseV4(text);
  return v4 === undefined ? parseV6(text) : MAPPED | v4;
}

/** The address of a peer as a socket tells it, maybe with a zone, which is left out. */
export function hostAddress(text: string): bigint | undefined {
  return parseAddress(text.split("%", 1)[0] ?? "");
}

/**
 * One address, or a CIDR range (`10.0.0.0/8`, `2001:db8::/32`); bits of the host are left out of
 * account.
 */
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

export function isLoopback(text: string): boolean {
  const address = hostAddress(text);
  return address === LOOPBACK_V6 || (address !== undefined && address >> 24n === LOOPBACK_V4);
}

/** What counts as one address for limits: IPv6 hosts have a /64 to themselves. */
export function addressBlock(text: string): string {
  const address = hostAddress(text);
  if (address === undefined) return "unknown";
  const isV4 = address >> 32n === MAPPED >> 32n;
  return (isV4 ? address : address >> 64n).toString(16);
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
