// Verifies Signature Version 2, in headers and presigned URLs, for clients that know nothing newer.
// It covers method, path, sub-resources, x-amz- headers, type, MD5 and date; not the body, not the
// host, not other parameters: that is the scheme. Source: Amazon S3 user guide, "Signing and
// Authenticating REST Requests".
import { createHmac, timingSafeEqual } from "node:crypto";
import { decodeBase64 } from "../base64.ts";
import { S3Error, type S3ErrorDetail } from "../errors.ts";
import type { HeaderField } from "../headers.ts";
import { formatIsoDate, parseAmzDate, parseHttpDate } from "../http-date.ts";
import type { QueryParameter } from "../query-parameters.ts";
import type { V2HeaderClaim, V2QueryClaim } from "../sigv4/claim.ts";
import { type SignedRequest, SKEW_MS_MAX } from "../sigv4/verify.ts";

/** Parameters that are part of the signed resource; all others are not signed. */
const SIGNED_PARAMETERS: ReadonlySet<string> = new Set([
  "accelerate",
  "acl",
  "analytics",
  "cors",
  "delete",
  "encryption",
  "inventory",
  "legal-hold",
  "lifecycle",
  "location",
  "logging",
  "metrics",
  "notification",
  "object-lock",
  "partNumber",
  "policy",
  "policyStatus",
  "publicAccessBlock",
  "replication",
  "requestPayment",
  "response-cache-control",
  "response-content-disposition",
  "response-content-encoding",
  "response-content-language",
  "response-content-type",
  "response-expires",
  "restore",
  "retention",
  "select",
  "select-type",
  "storageClass",
  "tagging",
  "torrent",
  "uploadId",
  "uploads",
  "versionId",
  "versioning",
  "versions",
  "website",
]);

const SECURITY_TOKEN = "x-amz-security-token";

export type V2Claim = V2HeaderClaim | V2QueryClaim;

export interface V2Options {
  readonly secret: string;
  /** Milliseconds since 1970. */
  readonly nowMs: number;
  /** The bucket of a virtual-host request, undefined for path style. */
  readonly hostBucket: string | undefined;
}

/**
 * Verifies `claim` for `request`; returns when it holds. Throws AccessDenied (no date, expired),
 * RequestTimeTooSkewed, SignatureDoesNotMatch.
 */
export function verifyV2(claim: V2Claim, request: SignedRequest, options: V2Options): void {
  checkTime(claim, request, options.nowMs);
  const { hostBucket } = options;
  const forms: StringOptions[] = [];
  for (const path of signedPaths(request.target.rawPath, hostBucket)) {
    // For `?uploads=` some clients sign `uploads=`, others `uploads`.
    for (const keepEquals of [false, true]) forms.push({ path, keepEquals });
  }
  const texts = [...new Set(forms.map((form) => stringToSignV2(claim, request, form)))];
  if (texts.some((text) => isSignature(claim.signature, options.secret, text))) return;
  throw new S3Error("SignatureDoesNotMatch", undefined, {
    details: [
      ["AWSAccessKeyId", claim.accessKeyId],
      ["StringToSign", texts[0] ?? ""],
      ["SignatureProvided", claim.signature],
    ],
  });
}

/** The signed resource: bucket and raw path; clients end a bucket alone with a slash, or do not. */
function signedPaths(rawPath: string, hostBucket: string | undefined): readonly string[] {
  if (hostBucket !== undefined) return [`/${hostBucket}${rawPath}`];
  return rawPath.includes("/", 1) || rawPath === "/" ? [rawPath] : [rawPath, `${rawPath}/`];
}

/** Compares in constant time; text that is not the base64 of 20 bytes never matches. */
function isSignature(given: string, secret: string, text: string): boolean {
  const expected = createHmac("sha1", secret).update(Buffer.from(text, "latin1")).digest();
  const bytes = decodeBase64(given);
  return bytes?.byteLength === expected.byteLength && timingSafeEqual(expected, bytes);
}

function checkTime(claim: V2Claim, { headers }: SignedRequest, nowMs: number): void {
  const server: S3ErrorDetail = ["ServerTime", formatIsoDate(nowMs)];
  if (claim.kind === "v2-query") {
    if (nowMs <= claim.expiresAtSeconds * 1000) return;
    const expires: S3ErrorDetail = ["Expires", String(claim.expiresAtSeconds)];
    throw new S3Error("AccessDenied", "Request has expired", { details: [expires, server] });
  }
  const text = headers.get("x-amz-date") ?? headers.get("date") ?? "";
  const time = parseHttpDate(text, nowMs) ?? parseAmzDate(text);
  if (time === undefined) {
    throw new S3Error(
      "AccessDenied",
      "AWS authentication requires a valid Date or x-amz-date header",
    );
  }
  if (Math.abs(nowMs - time) <= SKEW_MS_MAX) return;
  throw new S3Error("RequestTimeTooSkewed", undefined, {
    details: [["RequestTime", text], server, ["MaxAllowedSkewMilliseconds", String(SKEW_MS_MAX)]],
  });
}

interface StringOptions {
  /** The resource without its query: `/bucket/key` as the client encoded it. */
  readonly path: string;
  /** Write `name=` for parameters with an empty value, where the client wrote the `=`. */
  readonly keepEquals: boolean;
}

/** The text that is signed, one byte a character. */
export function stringToSignV2(
  claim: V2Claim,
  { method, target, headers }: SignedRequest,
  options: StringOptions,
): string {
  const dateHeader = headers.has("x-amz-date") ? "" : (headers.get("date") ?? "");
  const date = claim.kind === "v2-query" ? String(claim.expiresAtSeconds) : dateHeader;
  const amzLines = amzFields(claim, { target, headers })
    .map(([name, value]) => `${name}:${value}\n`)
    .join("");
  const signed = target.query.list
    .filter(({ name }) => SIGNED_PARAMETERS.has(name))
    .toSorted((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)))
    .map((parameter) => parameterText(parameter, options.keepEquals));
  const query = signed.length === 0 ? "" : `?${signed.join("&")}`;
  const lines = [method, headers.get("content-md5") ?? "", headers.get("content-type") ?? "", date];
  return `${lines.join("\n")}\n${amzLines}${options.path}${query}`;
}

/**
 * The x-amz- headers, by name. A session token may stand in the query of a presigned URL, and is
 * signed as if it were a header.
 */
function amzFields(
  claim: V2Claim,
  { headers, target }: Pick<SignedRequest, "headers" | "target">,
): readonly HeaderField[] {
  const names = [...headers.names()].filter((name) => name.startsWith("x-amz-"));
  const fields = names.map((name): HeaderField => [name, headers.get(name) ?? ""]);
  const token = claim.kind === "v2-query" ? target.query.get(SECURITY_TOKEN) : undefined;
  if (token !== undefined) fields.push([SECURITY_TOKEN, token]);
  return fields.toSorted(([a], [b]) => (a < b ? -1 : Number(a > b)));
}

/** Values are signed decoded. */
function parameterText({ name, value, hasEquals }: QueryParameter, keepEquals: boolean): string {
  if (value === "" && !(hasEquals && keepEquals)) return name;
  return `${name}=${Buffer.from(value, "utf8").toString("latin1")}`;
}
