// From where a request came, and over what. Headers of proxies are believed only when the socket's
// other end is a trusted proxy (s3.trustedProxies), and only as far as trusted proxies wrote them:
// X-Forwarded-For is read from its end, up to the first address that is not one of theirs.
import { StoreError } from "../../lib/base/errors.ts";
import {
  type AddressRange,
  hostAddress,
  isInRange,
  isLoopback,
  parseRange,
} from "../../lib/base/ip-address.ts";
import type { HeaderList } from "../../lib/s3/headers.ts";

const FORWARDED_MAX = 64;

export interface RequestOrigin {
  /** Address of the client, as text; empty when the socket is gone. */
  readonly remoteAddress: string;
  /** The client speaks TLS, to us or to a trusted proxy. */
  readonly isSecure: boolean;
  /** SHA-256 of the client's certificate, 32 bytes, where its TLS connection ends here. */
  readonly certificate: Uint8Array | undefined;
}

/** What the socket says. */
export type SocketFacts = RequestOrigin;

export class TrustedProxies {
  readonly #networks: readonly AddressRange[];

  /** `texts`: CIDR. Throws StoreError "invalid". */
  constructor(texts: readonly string[]) {
    this.#networks = texts.map((text) => {
      const network = parseRange(text);
      if (network !== undefined) return network;
      throw new StoreError("invalid", `s3.trustedProxies: ${text} is no address or network`);
    });
  }

  has(text: string): boolean {
    const address = hostAddress(text);
    return address !== undefined && this.#networks.some((one) => isInRange(address, one));
  }
}

/** Where the request came from, through the proxies that are trusted. */
export function originOf(
  socket: SocketFacts,
  headers: HeaderList,
  proxies: TrustedProxies,
): RequestOrigin {
  if (!proxies.has(socket.remoteAddress)) return socket;
  // The one that the nearest proxy wrote: those before it may be the client's own words.
  const protocol = listOf(headers, "x-forwarded-proto").at(-1)?.toLowerCase();
  const isSecure = protocol === undefined ? socket.isSecure : protocol === "https";
  const remoteAddress = clientAddress(socket.remoteAddress, headers, proxies);
  // The certificate is the proxy's.
  return { remoteAddress, isSecure, certificate: undefined };
}

function clientAddress(peer: string, headers: HeaderList, proxies: TrustedProxies): string {
  let client = peer;
  for (const text of listOf(headers, "x-forwarded-for").slice(-FORWARDED_MAX).toReversed()) {
    const hop = withoutPort(text);
    if (hostAddress(hop) === undefined) return client;
    client = hop;
    if (!proxies.has(hop)) return client;
  }
  return client;
}

function listOf(headers: HeaderList, name: string): string[] {
  const value = headers.get(name) ?? "";
  return value
    .split(",")
    .map((piece) => piece.trim())
    .filter((piece) => piece !== "");
}

/** Some proxies write `192.0.2.1:4711` and `[2001:db8::1]:4711`. */
function withoutPort(text: string): string {
  const bracketed = /^\[([^\]]+)\](?::[0-9]+)?$/.exec(text);
  if (bracketed !== null) return bracketed[1] ?? "";
  const v4 = /^([0-9.]+):[0-9]+$/.exec(text);
  return v4?.[1] ?? text;
}

/** Secrets may be sent: over TLS, or without leaving the machine. */
export function isPrivate({ isSecure, remoteAddress }: RequestOrigin): boolean {
  return isSecure || isLoopback(remoteAddress);
}
