// The query parameters of listings, strictly parsed with S3's defaults and limits. Tokens are
// opaque to clients: a version byte and the key to go on after, in base64url; they hold nothing
// secret and give no right, so they are not authenticated. Source: Amazon S3 API reference, List*
// actions.
import { asBuffer } from "../base/bytes.ts";
import { LIST_KEYS_MAX, PART_NUMBER_MAX } from "../base/limits.ts";
import type { EncodingType } from "./document-parts.ts";
import { invalidArgument, S3Error } from "./errors.ts";
import { parseDecimal } from "./integers.ts";
import type { QueryParameters } from "./query-parameters.ts";

const TOKEN_VERSION = 1;
const TOKEN = /^[A-Za-z0-9_-]{2,4096}$/;
const INT32_MAX = 2 ** 31 - 1;
const LIST_BUCKETS_MAX = 10_000;

interface PageQuery {
  readonly prefix: string;
  /** Never empty. */
  readonly delimiter: string | undefined;
  readonly encodingType: EncodingType;
}

export interface ListObjectsV1Query extends PageQuery {
  /** 0..1000. */
  readonly maxKeys: number;
  /** Empty when absent. */
  readonly marker: string;
}

export interface ListObjectsV2Query extends PageQuery {
  readonly maxKeys: number;
  readonly startAfter: string | undefined;
  /** As sent, for the answer. */
  readonly continuationToken: string | undefined;
  /** What the token stands for; it wins over startAfter. */
  readonly continueAfter: Uint8Array | undefined;
  readonly fetchOwner: boolean;
}

export interface ListVersionsQuery extends PageQuery {
  readonly maxKeys: number;
  readonly keyMarker: string;
  readonly versionIdMarker: string | undefined;
}

export interface ListUploadsQuery extends PageQuery {
  /** 0..1000. */
  readonly maxUploads: number;
  readonly keyMarker: string;
  /** Undefined without a key marker, as S3 ignores it then. */
  readonly uploadIdMarker: string | undefined;
}

export interface ListPartsQuery {
  readonly uploadId: string;
  /** 0..1000. */
  readonly maxParts: number;
  /** Parts after this number; 0 when absent. */
  readonly partNumberMarker: number;
  readonly encodingType: EncodingType;
}

export interface ListBucketsQuery {
  readonly prefix: string | undefined;
  /** 1..10000; undefined when the client did not ask for pages. */
  readonly maxBuckets: number | undefined;
  readonly continueAfter: Uint8Array | undefined;
  readonly bucketRegion: string | undefined;
}

export function parseListObjectsV1(query: QueryParameters): ListObjectsV1Query {
  const maxKeys = parseMax(query, "max-keys");
  return { ...parsePage(query), maxKeys, marker: query.get("marker") ?? "" };
}

/** Throws InvalidArgument, also for a token that this service did not make. */
export function parseListObjectsV2(query: QueryParameters): ListObjectsV2Query {
  const continuationToken = query.get("continuation-token");
  return {
    ...parsePage(query),
    maxKeys: parseMax(query, "max-keys"),
    startAfter: query.get("start-after") || undefined,
    continuationToken,
    continueAfter: parseToken(continuationToken),
    fetchOwner: parseFlag(query, "fetch-owner"),
  };
}

export function parseListVersions(query: QueryParameters): ListVersionsQuery {
  const keyMarker = query.get("key-marker") ?? "";
  const versionIdMarker = query.get("version-id-marker") || undefined;
  if (versionIdMarker !== undefined && keyMarker === "") {
    throw invalidArgument(
      "A version-id marker cannot be specified without a key marker.",
      "version-id-marker",
      versionIdMarker,
    );
  }
  return { ...parsePage(query), maxKeys: parseMax(query, "max-keys"), keyMarker, versionIdMarker };
}

export function parseListUploads(query: QueryParameters): ListUploadsQuery {
  const keyMarker = query.get("key-marker") ?? "";
  const uploadIdMarker = keyMarker === "" ? undefined : query.get("upload-id-marker") || undefined;
  const maxUploads = parseMax(query, "max-uploads");
  return { ...parsePage(query), maxUploads, keyMarker, uploadIdMarker };
}

export function parseListParts(query: QueryParameters): ListPartsQuery {
  const marker = query.get("part-number-marker") || "0";
  const partNumberMarker = parseDecimal(marker);
  if (partNumberMarker === undefined || partNumberMarker > INT32_MAX) {
    throw notInteger("part-number-marker", marker);
  }
  return {
    uploadId: query.get("uploadId") ?? "",
    maxParts: parseMax(query, "max-parts"),
    partNumberMarker: Math.min(partNumberMarker, PART_NUMBER_MAX),
    encodingType: parseEncodingType(query),
  };
}

export function parseListBuckets(query: QueryParameters): ListBucketsQuery {
  const text = query.get("max-buckets");
  const maxBuckets = text === undefined ? undefined : parseDecimal(text);
  if (text !== undefined && (maxBuckets === undefined || !isWithin(maxBuckets, LIST_BUCKETS_MAX))) {
    throw invalidArgument(
      `Argument max-buckets must be an integer between 1 and ${LIST_BUCKETS_MAX}`,
      "max-buckets",
      text,
    );
  }
  return {
    prefix: query.get("prefix") || undefined,
    maxBuckets,
    continueAfter: parseToken(query.get("continuation-token")),
    bucketRegion: query.get("bucket-region") || undefined,
  };
}

function isWithin(value: number, max: number): boolean {
  return value >= 1 && value <= max;
}

/** A token that continues after `startAfter`, a key or common prefix in UTF-8. */
export function encodeContinuationToken(startAfter: Uint8Array): string {
  const token = Buffer.allocUnsafe(startAfter.byteLength + 1);
  token[0] = TOKEN_VERSION;
  token.set(startAfter, 1);
  return token.toString("base64url");
}

function parseToken(token: string | undefined): Uint8Array | undefined {
  if (token === undefined) return undefined;
  const bytes = TOKEN.test(token) ? Buffer.from(token, "base64url") : undefined;
  if (bytes?.[0] === TOKEN_VERSION && asBuffer(bytes).toString("base64url") === token) {
    return bytes.subarray(1);
  }
  throw new S3Error("InvalidArgument", "The continuation token provided is incorrect", {
    details: [["ArgumentName", "continuation-token"]],
  });
}

function parsePage(query: QueryParameters): PageQuery {
  return {
    prefix: query.get("prefix") ?? "",
    delimiter: query.get("delimiter") || undefined,
    encodingType: parseEncodingType(query),
  };
}

function parseEncodingType(query: QueryParameters): EncodingType {
  const text = query.get("encoding-type") || undefined;
  if (text === undefined || text === "url") return text;
  throw invalidArgument("Invalid Encoding Method specified in Request", "encoding-type", text);
}

/** A page size: 1000 when absent, more is cut to 1000, 0 is allowed. */
function parseMax(query: QueryParameters, name: string): number {
  const text = query.get(name) || String(LIST_KEYS_MAX);
  const value = parseDecimal(text);
  if (value === undefined || value > INT32_MAX) throw notInteger(name, text);
  return Math.min(value, LIST_KEYS_MAX);
}

function notInteger(name: string, text: string): S3Error {
  return /^-[0-9]+$/.test(text)
    ? invalidArgument(`Argument ${name} must be an integer between 0 and ${INT32_MAX}`, name, text)
    : invalidArgument(`Provided ${name} not an integer or within integer range`, name, text);
}

function parseFlag(query: QueryParameters, name: string): boolean {
  const text = (query.get(name) || "false").toLowerCase();
  if (text === "true" || text === "false") return text === "true";
  throw invalidArgument(`Argument ${name} must be true or false`, name, text);
}
