// Addresses and networks of IPv4 and IPv6, as text and compared bit by bit. An IPv4 address in its
// IPv6 form (::ffff:10.0.0.1) is the IPv4 address. Strict: what is not exactly an address is none.
// Source: RFC 4291 section 2.2, RFC 4632.

const BITS_V4 = 32;
const BITS_V6 = 128;
const GROUPS_V6 = 8;
const OCTET = /^(?:0|[1-9][0-9]{0,2})$/;
const GROUP = /^[0-9a-fA-F]{1,4}$/;
const PREFIX = /^(?:0|[1-9][0-9]{0,2})$/;
/** ::ffff:0:0/96 without its last 32 bits. */
const MAPPED = 0xffffn;
const LOOPBACK_V6 = 1n;
const LOOPBACK_V4_OCTET = 127n;

export interface IpAddress {
  readonly bits: 32 | 128;
  readonly value: bigint;
}

export interface IpNetwork {
  readonly address: IpAddress;
  /** Leading bits that count. */
  readonly prefix: number;
}

/** Undefined for what is no address. A zone (`%eth0`) is left out. */
export function parseIp(text: string): IpAddress | undefined {
  if (!text.includes(":")) {
    const value = parseV4(text);
    return value === undefined ? undefined : { bits: BITS_V4, value };
  }
  const value = parseV6(text.split("%", 1)[0] ?? "");
  if (value === undefined) return undefined;
  if (value >> BigInt(BITS_V4) === MAPPED) {
    return { bits: BITS_V4, value: BigInt.asUintN(BITS_V4, value) };
  }
  return { bits: BITS_V6, value };
}

/** `10.0.0.0/8`, `2001:db8::/32`, or an address alone. Undefined for what is none. */
export function parseNetwork(text: string): IpNetwork | undefined {
  const slash = text.indexOf("/");
  const address = parseIp(slash < 0 ? text : text.slice(0, slash));
  if (address === undefined) return undefined;
  if (slash < 0) return { address, prefix: address.bits };
  const rest = text.slice(slash + 1);
  const prefix = PREFIX.test(rest) ? Number(rest) : undefined;
  if (prefix === undefined || prefix > address.bits) return undefined;
  return { address, prefix };
}

export function isInNetwork(address: IpAddress, network: IpNetwork): boolean {
  if (address.bits !== network.address.bits) return false;
  const dropped = BigInt(address.bits - network.prefix);
  return address.value >> dropped === network.address.value >> dropped;
}

export function isLoopback(text: string): boolean {
  const address = parseIp(text);
  if (address === undefined) return false;
  if (address.bits === BITS_V6) return address.value === LOOPBACK_V6;
  return address.value >> 24n === LOOPBACK_V4_OCTET;
}

/** What counts as one address for limits: IPv6 hosts have a /64 to themselves. */
export function addressBlock(text: string): string {
  const address = parseIp(text);
  if (address === undefined) return "unknown";
  if (address.bits === BITS_V4) return `4:${address.value.toString(16)}`;
  return `6:${(address.value >> 64n).toString(16)}`;
}

function parseV4(text: string): bigint | undefined {
  const octets = text.split(".");
  if (octets.length !== 4) return undefined;
  let value = 0n;
  for (const octet of octets) {
    if (!OCTET.test(octet) || Number(octet) > 255) return undefined;
    value = (value << 8n) | BigInt(octet);
  }
  return value;
}

function parseV6(text: string): bigint | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = groupsOf(halves[0] ?? "", halves.length === 1);
  const tail = groupsOf(halves[1] ?? "", true);
  if (head === undefined || tail === undefined) return undefined;
  const missing = GROUPS_V6 - head.length - tail.length;
  const isWhole = halves.length === 1 ? missing === 0 : missing >= 1;
  if (!isWhole) return undefined;
  const all = [...head, ...Array.from({ length: missing }, () => 0n), ...tail];
  return all.reduce((value, group) => (value << 16n) | group, 0n);
}

/** Groups of 16 bits; the last may be an IPv4 address where `isEnd`. */
function groupsOf(text: string, isEnd: boolean): bigint[] | undefined {
  if (text === "") return [];
  const pieces = text.split(":");
  const groups: bigint[] = [];
  for (const [at, piece] of pieces.entries()) {
    if (isEnd && at === pieces.length - 1 && piece.includes(".")) {
      const value = parseV4(piece);
      if (value === undefined) return undefined;
      groups.push(value >> 16n, value & 0xffffn);
    } else if (GROUP.test(piece)) {
      groups.push(BigInt(`0x${piece}`));
    } else {
      return undefined;
    }
  }
  return groups;
}
