// Parses the raw request target of HTTP/1.1 (RFC 9112 §3.2) without URL or path modules, which
// rewrite `..`, `//` and `%2e` and so move a request to another object. The path stays as the
// client wrote it; only whole segments are decoded, later and once. Origin-form and absolute-form
// are understood.
import { S3Error } from "./errors.ts";
import type { HeaderList } from "./headers.ts";
import { parseDecimalWithin } from "./integers.ts";
import { QueryParameters } from "./query-parameters.ts";

/** Longest target accepted, in characters; a 1,024-byte key takes at most 3,072 when encoded. */
const TARGET_LENGTH_MAX = 16 * 1024;
const ABSOLUTE_FORM = /^https?:\/\//i;
const HOST_NAME = /^(?!-)[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?$/;
const IPV6_LITERAL = /^\[[0-9a-f:.]+\]$/;

export interface RequestTarget {
  /** Host of an absolute-form target, undefined for origin-form. */
  readonly authority: Authority | undefined;
  /** Path as sent, from its first `/`, percent-encoding untouched. */
  readonly rawPath: string;
  /** Query as sent, without `?`; empty when there is none. */
  readonly rawQuery: string;
  readonly query: QueryParameters;
}

/** A host as named in Host or in an absolute-form target. */
export interface Authority {
  /** Lower case, without a trailing dot; IPv6 in brackets. */
  readonly name: string;
  readonly port: number | undefined;
}

/**
 * Parses the target of a request line. Throws InvalidURI when it is neither form, too long, or has
 * a space, control character, fragment or bad escape in the query.
 */
export function parseRequestTarget(rawTarget: string): RequestTarget {
  if (rawTarget.length > TARGET_LENGTH_MAX) throw new S3Error("InvalidURI");
  for (let index = 0; index < rawTarget.length; index += 1) {
    const unit = rawTarget.charCodeAt(index);
    if (unit <= 0x20 || unit === 0x7f || unit === 0x23 || unit > 0xff) {
      throw new S3Error("InvalidURI");
    }
  }
  if (rawTarget.startsWith("/")) return splitPath(rawTarget, undefined);
  if (!ABSOLUTE_FORM.test(rawTarget)) throw new S3Error("InvalidURI");
  const rest = rawTarget.slice(rawTarget.indexOf("//") + 2);
  const end = rest.search(/[/?]/);
  const authority = parseAuthority(end < 0 ? rest : rest.slice(0, end));
  if (authority === undefined) throw new S3Error("InvalidURI");
  const path = end < 0 ? "/" : rest.slice(end);
  return splitPath(path.startsWith("/") ? path : `/${path}`, authority);
}

function splitPath(target: string, authority: Authority | undefined): RequestTarget {
  const mark = target.indexOf("?");
  const rawPath = mark < 0 ? target : target.slice(0, mark);
  const rawQuery = mark < 0 ? "" : target.slice(mark + 1);
  return { authority, rawPath, rawQuery, query: QueryParameters.parse(rawQuery) };
}

/** Parses `host`, `host:port` or `[ipv6]:port`; undefined when malformed (user names included). */
export function parseAuthority(text: string): Authority | undefined {
  const lower = text.toLowerCase();
  const colon = lower.lastIndexOf(":");
  const hasPort = colon >= 0 && colon > lower.lastIndexOf("]");
  const rawName = hasPort ? lower.slice(0, colon) : lower;
  const port = hasPort ? parseDecimalWithin(lower.slice(colon + 1), 1, 65_535) : undefined;
  // RFC 3986 §3.2.3 lets the digits be missing.
  if (hasPort && port === undefined && lower.slice(colon + 1) !== "") return undefined;
  if (rawName.length > 255) return undefined;
  if (!HOST_NAME.test(rawName) && !IPV6_LITERAL.test(rawName)) return undefined;
  return { name: rawName.endsWith(".") ? rawName.slice(0, -1) : rawName, port };
}

/**
 * The host a request is for: the Host header, which must agree with the authority of an
 * absolute-form target, so that what is routed is what is signed. Undefined only without both
 * (HTTP/1.0). Throws InvalidArgument on a malformed or contradicting Host.
 */
export function requestAuthority(
  target: RequestTarget,
  headers: HeaderList,
): Authority | undefined {
  const header = headers.get("host");
  if (header === undefined) return target.authority;
  const host = parseAuthority(header);
  if (host === undefined) {
    throw new S3Error("InvalidArgument", "The Host header is malformed.", {
      details: [["ArgumentName", "Host"]],
    });
  }
  if (target.authority !== undefined && !sameAuthority(target.authority, host)) {
    throw new S3Error("InvalidArgument", "The Host header does not match the request target.", {
      details: [["ArgumentName", "Host"]],
    });
  }
  return host;
}

/** Same name, and same port where both say one that is not a default. */
function sameAuthority(a: Authority, b: Authority): boolean {
  const port = ({ port: value }: Authority): number =>
    value === undefined || value === 443 ? 80 : value;
  return a.name === b.name && port(a) === port(b);
}
