// Finds out how a request claims to be authenticated, and parses the claim strictly; proves
// nothing. Exactly one mechanism may be used: one Authorization header, or query parameters, never
// both. Source: Amazon S3 API reference, "Authenticating Requests (AWS Signature Version 4)".
import { S3Error } from "../errors.ts";
import { type HeaderList, trimSpace } from "../headers.ts";
import { parseDecimal } from "../integers.ts";
import type { QueryParameters } from "../query-parameters.ts";

export const V4_ALGORITHM = "AWS4-HMAC-SHA256";
/** Seven days, the longest life of a presigned URL. */
export const PRESIGNED_SECONDS_MAX = 604_800;
/** Access tokens are used as access keys, and are longer than AWS's twenty characters. */
const ACCESS_KEY_LENGTH_MAX = 2048;
const ACCESS_KEY = /^[\x21-\x7e]+$/;
const SIGNED_HEADERS = /^[!#$%&'*+\-.^_`|~0-9a-z]+(?:;[!#$%&'*+\-.^_`|~0-9a-z]+)*$/;
const V4_QUERY_NAMES = [
  "X-Amz-Algorithm",
  "X-Amz-Credential",
  "X-Amz-Date",
  "X-Amz-Expires",
  "X-Amz-Signature",
  "X-Amz-SignedHeaders",
] as const;

export interface CredentialScope {
  /** `yyyymmdd` as sent; not checked here. */
  readonly date: string;
  readonly region: string;
  readonly service: string;
  readonly terminal: string;
}

interface V4Claim {
  readonly accessKeyId: string;
  readonly scope: CredentialScope;
  /** Lower-case names in the order of the claim, each once. */
  readonly signedHeaders: readonly string[];
  /** As sent; meant to be 64 lower-case hexadecimal digits. */
  readonly signature: string;
}

export interface V4HeaderClaim extends V4Claim {
  readonly kind: "v4-header";
}

export interface V4QueryClaim extends V4Claim {
  readonly kind: "v4-query";
  /** `X-Amz-Date` as sent. */
  readonly amzDate: string;
  /** 1..604800. */
  readonly expiresSeconds: number;
}

export interface V2HeaderClaim {
  readonly kind: "v2-header";
  readonly accessKeyId: string;
  /** Base64 as sent. */
  readonly signature: string;
}

export interface V2QueryClaim {
  readonly kind: "v2-query";
  readonly accessKeyId: string;
  readonly signature: string;
  /** Seconds since 1970 after which the claim is void. */
  readonly expiresAtSeconds: number;
}

export type AuthClaim =
  | { readonly kind: "anonymous" }
  | V4HeaderClaim
  | V4QueryClaim
  | V2HeaderClaim
  | V2QueryClaim;

/**
 * The claim of a request. Throws InvalidArgument (several mechanisms, unknown scheme),
 * AuthorizationHeaderMalformed, AuthorizationQueryParametersError, AccessDenied (version 2 query).
 */
export function parseAuthorization(headers: HeaderList, query: QueryParameters): AuthClaim {
  const inV4Query = V4_QUERY_NAMES.some((name) => query.has(name));
  const inV2Query = query.has("AWSAccessKeyId") || query.has("Signature");
  const header = headers.get("authorization");
  const mechanisms = Number(inV4Query) + Number(inV2Query) + Number(header !== undefined);
  if (mechanisms > 1) {
    throw new S3Error(
      "InvalidArgument",
      "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, " +
        "Signature query string parameter or the Authorization header should be specified",
      { details: [["ArgumentName", "Authorization"]] },
    );
  }
  if (inV4Query) return parseV4Query(query);
  if (inV2Query) return parseV2Query(query);
  if (header === undefined) return { kind: "anonymous" };
  if (header.startsWith(`${V4_ALGORITHM} `)) return parseV4Header(header);
  if (header.startsWith("AWS ")) return parseV2Header(header);
  throw new S3Error("InvalidArgument", "Unsupported Authorization Type", {
    details: [["ArgumentName", "Authorization"]],
  });
}

function malformedHeader(reason: string): S3Error {
  return new S3Error(
    "AuthorizationHeaderMalformed",
    `The authorization header is malformed; ${reason}`,
  );
}

function queryError(message: string): S3Error {
  return new S3Error("AuthorizationQueryParametersError", message);
}

function parseV4Header(header: string): V4HeaderClaim {
  const parts = new Map<string, string>();
  for (const piece of header.slice(V4_ALGORITHM.length + 1).split(",")) {
    const text = trimSpace(piece);
    const equals = text.indexOf("=");
    const name = equals < 0 ? text : text.slice(0, equals);
    if (equals < 0 || parts.has(name)) throw malformedHeader("a component is wrong or repeated.");
    parts.set(name, text.slice(equals + 1));
  }
  const credential = parts.get("Credential");
  const signedHeaders = parts.get("SignedHeaders");
  const signature = parts.get("Signature");
  if (credential === undefined || signedHeaders === undefined || signature === undefined) {
    throw malformedHeader(
      "the header requires three components: Credential, SignedHeaders, and Signature.",
    );
  }
  if (parts.size !== 3) throw malformedHeader("it has an unknown component.");
  return {
    kind: "v4-header",
    ...parseCredential(credential, malformedHeader),
    signedHeaders: parseSignedHeaders(signedHeaders, malformedHeader),
    signature,
  };
}

export type Refusal = (reason: string) => S3Error;

/** `accessKeyId/date/region/service/terminal`; the access key itself may contain slashes. */
export function parseCredential(
  text: string,
  refuse: Refusal,
): { readonly accessKeyId: string; readonly scope: CredentialScope } {
  const pieces = text.split("/");
  const [terminal, service, region, date] = pieces.splice(-4).toReversed();
  const accessKeyId = pieces.join("/");
  if (
    date === undefined ||
    region === undefined ||
    service === undefined ||
    terminal === undefined ||
    !ACCESS_KEY.test(accessKeyId) ||
    accessKeyId.length > ACCESS_KEY_LENGTH_MAX
  ) {
    throw refuse(
      "the Credential is mal-formed; expecting " +
        '"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".',
    );
  }
  return { accessKeyId, scope: { date, region, service, terminal } };
}

function parseSignedHeaders(text: string, refuse: Refusal): readonly string[] {
  if (!SIGNED_HEADERS.test(text)) throw refuse("SignedHeaders is not a list of lower-case names.");
  const names = text.split(";");
  if (new Set(names).size !== names.length) throw refuse("SignedHeaders repeats a name.");
  return names;
}

function parseV4Query(query: QueryParameters): V4QueryClaim {
  const known = new Map(V4_QUERY_NAMES.map((name) => [name.toLowerCase(), 0]));
  for (const { name } of query.list) {
    const count = known.get(name.toLowerCase());
    if (count !== undefined) known.set(name.toLowerCase(), count + 1);
  }
  const once = V4_QUERY_NAMES.every((name) => query.has(name) && query.get(name) !== "");
  if (!once || [...known.values()].some((count) => count !== 1)) {
    throw queryError(
      "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, " +
        "X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
    );
  }
  if (query.get("X-Amz-Algorithm") !== V4_ALGORITHM) {
    throw queryError(`X-Amz-Algorithm only supports "${V4_ALGORITHM}"`);
  }
  const refuse: Refusal = (reason) => queryError(`Error parsing the query parameters; ${reason}`);
  return {
    kind: "v4-query",
    ...parseCredential(query.get("X-Amz-Credential") ?? "", refuse),
    signedHeaders: parseSignedHeaders(query.get("X-Amz-SignedHeaders") ?? "", refuse),
    signature: query.get("X-Amz-Signature") ?? "",
    amzDate: query.get("X-Amz-Date") ?? "",
    expiresSeconds: parseExpires(query.get("X-Amz-Expires") ?? ""),
  };
}

function parseExpires(text: string): number {
  const seconds = parseDecimal(text);
  if (seconds === undefined) {
    throw queryError(
      /^-[0-9]+$/.test(text)
        ? "X-Amz-Expires must be non-negative"
        : "X-Amz-Expires should be a number",
    );
  }
  if (seconds < 1) throw queryError("X-Amz-Expires must be at least 1");
  if (seconds > PRESIGNED_SECONDS_MAX) {
    throw queryError(
      "X-Amz-Expires must be less than a week (in seconds); that is, " +
        `the given X-Amz-Expires must be less than ${PRESIGNED_SECONDS_MAX}`,
    );
  }
  return seconds;
}

function parseV2Header(header: string): V2HeaderClaim {
  const credential = trimSpace(header.slice("AWS ".length));
  const colon = credential.lastIndexOf(":");
  const accessKeyId = credential.slice(0, Math.max(colon, 0));
  const signature = credential.slice(colon + 1);
  if (!isAccessKey(accessKeyId) || signature === "") {
    throw new S3Error(
      "InvalidArgument",
      "AWS authorization header is invalid.  Expected AwsAccessKeyId:signature",
      { details: [["ArgumentName", "Authorization"]] },
    );
  }
  return { kind: "v2-header", accessKeyId, signature };
}

function isAccessKey(text: string): boolean {
  return text.length <= ACCESS_KEY_LENGTH_MAX && ACCESS_KEY.test(text);
}

function parseV2Query(query: QueryParameters): V2QueryClaim {
  const names = ["AWSAccessKeyId", "Signature", "Expires"];
  const accessKeyId = query.get("AWSAccessKeyId") ?? "";
  const signature = query.get("Signature") ?? "";
  const once = names.every((name) => query.all(name).length === 1);
  if (!once || !isAccessKey(accessKeyId) || signature === "") {
    throw new S3Error(
      "AccessDenied",
      "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters",
    );
  }
  const expiresAtSeconds = parseDecimal(query.get("Expires") ?? "");
  if (expiresAtSeconds === undefined) {
    throw new S3Error("AccessDenied", "Invalid date (should be seconds since epoch): Expires");
  }
  return { kind: "v2-query", accessKeyId, signature, expiresAtSeconds };
}
