// The canonical request and string to sign of Signature Version 4 with S3's rules: the path is not
// normalized, it is decoded and encoded once; header values keep their bytes. Texts here hold one
// byte a character. Source: Amazon S3 API reference, "Signature Calculations for the Authorization
// Header".
import { hash } from "node:crypto";
import type { HeaderList } from "../headers.ts";
import type { RequestTarget } from "../request-target.ts";
import { percentDecode, uriEncode, uriEncodeBytes } from "../uri-encoding.ts";
import { V4_ALGORITHM } from "./claim.ts";

/** SHA-256 of nothing, in hex. */
export const EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/** Encoded and decoded it is the same. */
const PLAIN_PATH = /^[A-Za-z0-9._~/-]*$/;

export interface CanonicalParts {
  readonly method: string;
  readonly target: RequestTarget;
  readonly headers: HeaderList;
  readonly signedHeaders: readonly string[];
  /** The last line: hex SHA-256 of the body, UNSIGNED-PAYLOAD or a STREAMING- value. */
  readonly payloadHash: string;
}

/**
 * The forms in which a client may have signed a path, AWS's own first: decoded and encoded once,
 * slashes kept. Some clients sign `%2F` as written, some the whole path as they send it. All forms
 * decode to the same bytes, so none can be taken for another object. Throws InvalidURI.
 */
export function canonicalPaths(rawPath: string): readonly string[] {
  if (PLAIN_PATH.test(rawPath)) return [rawPath];
  const own = uriEncodeBytes(percentDecode(rawPath, false), true);
  if (own === rawPath) return [own];
  const segments = rawPath.split("/");
  const bySegment = segments.map((segment) => uriEncodeBytes(percentDecode(segment, false), false));
  return [...new Set([own, bySegment.join("/"), rawPath])];
}

/** The canonical request with one of the `canonicalPaths`. */
export function canonicalRequest(parts: CanonicalParts, path: string): string {
  const names = parts.signedHeaders.toSorted();
  const headerLines = names.map(
    (name) => `${name}:${collapseSpace(parts.headers.get(name) ?? "")}\n`,
  );
  return [
    parts.method,
    path,
    canonicalQuery(parts.target),
    headerLines.join(""),
    parts.signedHeaders.join(";"),
    parts.payloadHash,
  ].join("\n");
}

/** The canonical request in AWS's own form. */
export function ownCanonicalRequest(parts: CanonicalParts): string {
  return canonicalRequest(parts, canonicalPaths(parts.target.rawPath)[0] ?? "/");
}

/** All parameters but the signature itself, encoded, sorted by name and then by value. */
function canonicalQuery(target: RequestTarget): string {
  const pairs: [string, string][] = [];
  for (const { name, value } of target.query.list) {
    if (name === "X-Amz-Signature") continue;
    pairs.push([uriEncode(name, false), uriEncode(value, false)]);
  }
  pairs.sort((a, b) => compareAscii(a[0], b[0]) || compareAscii(a[1], b[1]));
  return pairs.map(([name, value]) => `${name}=${value}`).join("&");
}

function compareAscii(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** What is not a single space between others. */
const SPACE_RUN = /\t| {2}/;

/** Runs of spaces and tabs become one space; the value is trimmed already. */
function collapseSpace(value: string): string {
  return SPACE_RUN.test(value) ? value.replaceAll(/[ \t]+/g, " ") : value;
}

export interface SignedMoment {
  /** `yyyymmddThhmmssZ` */
  readonly amzDate: string;
  /** `yyyymmdd/region/service/aws4_request` */
  readonly scope: string;
}

export function stringToSign(moment: SignedMoment, canonical: string): string {
  const digest = hash("sha256", Buffer.from(canonical, "latin1"), "hex");
  return [V4_ALGORITHM, moment.amzDate, moment.scope, digest].join("\n");
}
