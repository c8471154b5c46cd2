// Headers that are stored with an object and given back: system headers, x-amz-meta-*, and the
// response-* overrides of signed reads. Values keep their bytes (one a character) and hold no
// control characters, so no stored value can inject a header. Source: Amazon S3 user guide,
// "Working with object metadata"; API reference, GetObject.
import { USER_METADATA_BYTES_MAX } from "../base/limits.ts";
import { invalidArgument, S3Error } from "./errors.ts";
import { type HeaderField, type HeaderList, trimSpace } from "./headers.ts";
import type { QueryParameters } from "./query-parameters.ts";

const META_PREFIX = "x-amz-meta-";
export const DEFAULT_CONTENT_TYPE = "binary/octet-stream";
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
const CONTROL = /[\u0000-\u0008\u000a-\u001f\u007f]/;
const BEYOND_BYTES = /[\u0100-\uffff]/;
const ASCII = /^[\t\x20-\x7e]*$/;

/** Undefined where the client sent none. */
export interface SystemHeaders {
  readonly contentType: string | undefined;
  readonly contentEncoding: string | undefined;
  readonly contentLanguage: string | undefined;
  readonly contentDisposition: string | undefined;
  readonly cacheControl: string | undefined;
  readonly expires: string | undefined;
  readonly websiteRedirectLocation: string | undefined;
}

/** The system headers of a write; `aws-chunked` is taken out of Content-Encoding. */
export function collectSystemHeaders(headers: HeaderList): SystemHeaders {
  const value = (name: string): string | undefined => headers.get(name) || undefined;
  return {
    contentType: value("content-type"),
    contentEncoding: storedEncoding(headers.get("content-encoding")),
    contentLanguage: value("content-language"),
    contentDisposition: value("content-disposition"),
    cacheControl: value("cache-control"),
    expires: value("expires"),
    websiteRedirectLocation: redirectLocation(value("x-amz-website-redirect-location")),
  };
}

function storedEncoding(text: string | undefined): string | undefined {
  const codings = (text ?? "").split(",").map(trimSpace);
  const stored = codings.filter((coding) => coding !== "" && !isAwsChunked(coding));
  return stored.length === 0 ? undefined : stored.join(",");
}

function isAwsChunked(coding: string): boolean {
  return coding.toLowerCase() === "aws-chunked";
}

/** True when Content-Encoding says that the body is framed in aws-chunked. */
export function hasAwsChunkedEncoding(headers: HeaderList): boolean {
  return (headers.get("content-encoding") ?? "").split(",").map(trimSpace).some(isAwsChunked);
}

function redirectLocation(text: string | undefined): string | undefined {
  if (text === undefined || /^(?:\/|https?:\/\/)/.test(text)) return text;
  throw new S3Error("InvalidRedirectLocation");
}

export interface UserMetadata {
  /** Lower case, without `x-amz-meta-`. */
  readonly name: string;
  /** Bytes as sent, one a character. */
  readonly value: string;
}

/**
 * The x-amz-meta-* headers of a write, in order, repeated ones joined by `,`. Throws
 * MetadataTooLarge when names and values together exceed `bytesMax` (0: no limit).
 */
export function collectUserMetadata(
  headers: HeaderList,
  bytesMax: number = USER_METADATA_BYTES_MAX,
): readonly UserMetadata[] {
  const metadata: UserMetadata[] = [];
  let bytes = 0;
  for (const header of headers.names()) {
    if (!header.startsWith(META_PREFIX)) continue;
    const name = header.slice(META_PREFIX.length);
    const value = headers.get(header) ?? "";
    if (name === "") throw invalidArgument("Metadata needs a name.", header, value);
    metadata.push({ name, value });
    bytes += name.length + value.length;
  }
  if (bytesMax > 0 && bytes > bytesMax) {
    throw new S3Error("MetadataTooLarge", undefined, {
      details: [
        ["Size", String(bytes)],
        ["MaxSizeAllowed", String(bytesMax)],
      ],
    });
  }
  return metadata;
}

/**
 * Response headers for stored metadata. A value with other than printable ASCII goes out as an RFC
 * 2047 encoded word of the characters the bytes stand for in ISO 8859-1, as AWS documents;
 * encoded words that a client sent go out unchanged.
 */
export function userMetadataHeaders(metadata: readonly UserMetadata[]): HeaderField[] {
  return metadata.map(({ name, value }) => [`${META_PREFIX}${name}`, encodeValue(value)]);
}

function encodeValue(value: string): string {
  if (ASCII.test(value)) return value;
  return `=?UTF-8?B?${Buffer.from(value, "utf8").toString("base64")}?=`;
}

const OVERRIDES: ReadonlyMap<string, string> = new Map([
  ["response-content-type", "Content-Type"],
  ["response-content-language", "Content-Language"],
  ["response-expires", "Expires"],
  ["response-cache-control", "Cache-Control"],
  ["response-content-disposition", "Content-Disposition"],
  ["response-content-encoding", "Content-Encoding"],
]);

/**
 * Headers a read wants in place of the stored ones. Throws InvalidRequest when an unsigned request
 * asks for any, InvalidArgument for values that no header can carry.
 */
export function collectResponseOverrides(query: QueryParameters, signed: boolean): HeaderField[] {
  const fields: HeaderField[] = [];
  for (const [parameter, header] of OVERRIDES) {
    const value = query.get(parameter);
    if (value === undefined) continue;
    if (!signed) {
      throw new S3Error(
        "InvalidRequest",
        "Request specific response headers cannot be used for anonymous GET requests.",
      );
    }
    if (CONTROL.test(value) || BEYOND_BYTES.test(value)) {
      throw invalidArgument(
        "Header value cannot be represented using ISO-8859-1.",
        parameter,
        value,
      );
    }
    fields.push([header, value]);
  }
  return fields;
}
