// Verifies a Signature Version 4 claim, from a header or a presigned URL, against a secret.
// Guarantees that what is accepted was signed by its holder: method, path, query, host, every
// x-amz- header, within 15 minutes of now or within the life of the URL. The body is checked
// later, by what `payload` says.
import { timingSafeEqual } from "node:crypto";
import { fromHex, toHex } from "../../base/bytes.ts";
import { S3Error, type S3ErrorDetail } from "../errors.ts";
import type { HeaderList } from "../headers.ts";
import { formatAmzDate, formatIsoDate, parseAmzDate, parseHttpDate } from "../http-date.ts";
import type { RequestTarget } from "../request-target.ts";
import {
  canonicalPaths,
  canonicalRequest,
  ownCanonicalRequest,
  stringToSign,
} from "./canonical-request.ts";
import { V4_ALGORITHM, type V4HeaderClaim, type V4QueryClaim } from "./claim.ts";
import { type PayloadClaim, parsePayloadHash, UNSIGNED_PAYLOAD } from "./payload-hash.ts";
import { deriveSigningKey, hmacSha256, type SigningKeyCache } from "./signing-key.ts";

export const SKEW_MS_MAX = 15 * 60 * 1000;
const SIGNATURE = /^[0-9a-f]{64}$/;
const S3_ONLY: ReadonlySet<string> = new Set(["s3"]);

export interface SignedRequest {
  readonly method: string;
  readonly target: RequestTarget;
  readonly headers: HeaderList;
}

export interface V4Options {
  readonly secret: string;
  /** Milliseconds since 1970. */
  readonly nowMs: number;
  readonly region: string;
  /** Refuse a scope of another region. Otherwise any region is taken. */
  readonly strictRegion: boolean;
  readonly signingKeys?: SigningKeyCache;
  /** Services that the scope may name; "s3" alone unless told. */
  readonly services?: ReadonlySet<string>;
  /**
   * SHA-256 of the body in hex, for services whose clients sign it without sending it. Counts where
   * x-amz-content-sha256 is absent.
   */
  readonly bodySha256?: string;
  /**
   * The access key is an access token, which proves itself: date, scope and signed headers are
   * checked, the signature is not, because clients sign with any secret.
   */
  readonly bearer?: boolean;
}

export interface VerifiedV4 {
  readonly accessKeyId: string;
  /** 32 bytes; shared, do not change. */
  readonly signingKey: Uint8Array;
  /** `yyyymmdd/region/s3/aws4_request` */
  readonly scope: string;
  readonly amzDate: string;
  /** Signature of the request, from which a chunk chain starts. */
  readonly seedSignature: string;
  /** Nor are the signatures of chunks compared. */
  readonly bearer?: boolean;
  readonly payload: PayloadClaim;
}

type V4Claim = V4HeaderClaim | V4QueryClaim;

/**
 * Verifies `claim` for `request`. Throws AuthorizationHeaderMalformed or
 * AuthorizationQueryParametersError (scope), AccessDenied (headers not signed, no date, expired,
 * not yet valid), InvalidRequest (no x-amz-content-sha256), RequestTimeTooSkewed,
 * SignatureDoesNotMatch.
 */
export function verifyV4(claim: V4Claim, request: SignedRequest, options: V4Options): VerifiedV4 {
  const { time, amzDate } = requestTime(claim, request.headers, options.nowMs);
  checkScope(claim, amzDate, options);
  checkTime(claim, time, options.nowMs);
  checkSignedHeaders(claim, request.headers);
  const payloadHash = claimedPayloadHash(claim, request, options.bodySha256);
  const payload = parsePayloadHash(payloadHash);
  const { date, region, service, terminal } = claim.scope;
  const scope = `${date}/${region}/${service}/${terminal}`;
  const signingKey =
    options.signingKeys?.get(options.secret, claim.scope) ??
    deriveSigningKey(options.secret, claim.scope);
  const parts = { ...request, signedHeaders: claim.signedHeaders, payloadHash };
  const { accessKeyId, signature: seedSignature } = claim;
  const verified = { accessKeyId, signingKey, scope, amzDate, seedSignature, payload };
  if (options.bearer === true) return { ...verified, bearer: true };
  for (const path of canonicalPaths(request.target.rawPath)) {
    const canonical = canonicalRequest(parts, path);
    const text = stringToSign({ amzDate, scope }, canonical);
    if (sameSignature(hmacSha256(signingKey, text), claim.signature)) return verified;
  }
  const canonical = ownCanonicalRequest(parts);
  throw mismatch(claim, canonical, stringToSign({ amzDate, scope }, canonical));
}

/** Compares in constant time; a signature that is not 64 lower-case hex digits never matches. */
function sameSignature(expected: Uint8Array, given: string): boolean {
  const bytes = SIGNATURE.test(given) ? fromHex(given) : undefined;
  return bytes !== undefined && timingSafeEqual(expected, bytes);
}

function mismatch(claim: V4Claim, canonical: string, text: string): S3Error {
  return new S3Error("SignatureDoesNotMatch", undefined, {
    details: [
      ["AWSAccessKeyId", claim.accessKeyId],
      ["StringToSign", text],
      ["SignatureProvided", claim.signature],
      ["StringToSignBytes", spacedHex(text)],
      ["CanonicalRequest", canonical],
      ["CanonicalRequestBytes", spacedHex(canonical)],
    ],
  });
}

function spacedHex(text: string): string {
  return toHex(Buffer.from(text, "latin1")).replaceAll(/(..)(?=.)/g, "$1 ");
}

interface RequestTime {
  readonly time: number;
  readonly amzDate: string;
}

function requestTime(claim: V4Claim, headers: HeaderList, nowMs: number): RequestTime {
  if (claim.kind === "v4-query") {
    const time = parseAmzDate(claim.amzDate);
    if (time !== undefined) return { time, amzDate: claim.amzDate };
    throw new S3Error(
      "AuthorizationQueryParametersError",
      "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"",
    );
  }
  const text = headers.get("x-amz-date") ?? headers.get("date") ?? "";
  const amzTime = parseAmzDate(text);
  const time = amzTime ?? parseHttpDate(text, nowMs);
  if (time === undefined) {
    throw new S3Error(
      "AccessDenied",
      "AWS authentication requires a valid Date or x-amz-date header",
    );
  }
  return { time, amzDate: amzTime === undefined ? formatAmzDate(time) : text };
}

function checkScope(claim: V4Claim, amzDate: string, options: V4Options): void {
  const { date, region, service, terminal } = claim.scope;
  if (date !== amzDate.slice(0, 8)) {
    throw scopeError(
      claim,
      `Invalid credential date "${date}". This date is not the same as X-Amz-Date: ` +
        `"${amzDate.slice(0, 8)}".`,
    );
  }
  if (!(options.services ?? S3_ONLY).has(service)) {
    const [own = ""] = options.services ?? S3_ONLY;
    throw scopeError(claim, `incorrect service "${service}". This endpoint belongs to "${own}".`);
  }
  if (terminal !== "aws4_request") {
    throw scopeError(claim, `incorrect terminal "${terminal}". This endpoint uses "aws4_request".`);
  }
  if (options.strictRegion && region !== options.region) {
    const reason = `the region '${region}' is wrong; expecting '${options.region}'`;
    throw scopeError(claim, reason, [["Region", options.region]]);
  }
}

function scopeError(
  claim: V4Claim,
  reason: string,
  details: readonly S3ErrorDetail[] = [],
): S3Error {
  return claim.kind === "v4-header"
    ? new S3Error(
        "AuthorizationHeaderMalformed",
        `The authorization header is malformed; ${reason}`,
        { details },
      )
    : new S3Error(
        "AuthorizationQueryParametersError",
        `Error parsing the X-Amz-Credential parameter; ${reason}`,
        { details },
      );
}

function checkTime(claim: V4Claim, time: number, nowMs: number): void {
  const times = (): S3ErrorDetail[] => [
    ["RequestTime", formatAmzDate(time)],
    ["ServerTime", formatIsoDate(nowMs)],
  ];
  if (claim.kind === "v4-header") {
    if (Math.abs(nowMs - time) <= SKEW_MS_MAX) return;
    const allowed: S3ErrorDetail = ["MaxAllowedSkewMilliseconds", String(SKEW_MS_MAX)];
    throw new S3Error("RequestTimeTooSkewed", undefined, { details: [...times(), allowed] });
  }
  if (time - nowMs > SKEW_MS_MAX) {
    throw new S3Error("AccessDenied", "Request is not yet valid", { details: times() });
  }
  const expiresAt = time + claim.expiresSeconds * 1000;
  if (nowMs <= expiresAt) return;
  throw new S3Error("AccessDenied", "Request has expired", {
    details: [
      ["X-Amz-Expires", String(claim.expiresSeconds)],
      ["Expires", formatIsoDate(expiresAt)],
      ["ServerTime", formatIsoDate(nowMs)],
    ],
  });
}

/** `host` and every x-amz- header that is present must be covered by the signature. */
function checkSignedHeaders(claim: V4Claim, headers: HeaderList): void {
  const signed = new Set(claim.signedHeaders);
  const unsigned = [...headers.names()].filter(
    (name) => (name === "host" || name.startsWith("x-amz-")) && !signed.has(name),
  );
  if (!signed.has("host") && !unsigned.includes("host")) unsigned.push("host");
  if (unsigned.length === 0) return;
  throw new S3Error(
    "AccessDenied",
    "There were headers present in the request which were not signed",
    { details: [["HeadersNotSigned", unsigned.join(", ")]] },
  );
}

function claimedPayloadHash(
  claim: V4Claim,
  { headers, target }: SignedRequest,
  bodySha256: string | undefined,
): string {
  const header = headers.get("x-amz-content-sha256");
  if (claim.kind === "v4-query") {
    const parameters = target.query.all("X-Amz-Content-Sha256");
    const value = header ?? parameters[0] ?? UNSIGNED_PAYLOAD;
    if (parameters.every((parameter) => parameter === value)) return value;
    throw new S3Error(
      "AuthorizationQueryParametersError",
      "X-Amz-Content-Sha256 is given more than once, with different values.",
    );
  }
  const hash = header ?? bodySha256;
  if (hash !== undefined) return hash;
  throw new S3Error(
    "InvalidRequest",
    `Missing required header for this request: x-amz-content-sha256 (${V4_ALGORITHM})`,
  );
}
