// Which bucket and key a request names: path style, virtual-host style under any of several
// service names, or the service itself. Keys are opaque UTF-8 of 1..1024 bytes; `..`, `//`,
// `%2e%2e` and NUL are ordinary. The text of a key and its bytes map one to one (invalid UTF-8 is
// refused, BOM is kept).
import { KEY_BYTES_MAX } from "../base/limits.ts";
import { S3Error } from "./errors.ts";
import { type Authority, parseAuthority, type RequestTarget } from "./request-target.ts";
import { percentDecodeText } from "./uri-encoding.ts";

/** A name under which buckets are hosts; without a port every port matches. */
export type ServiceName = Authority;

export interface AddressingOptions {
  /** `s3.example.org` makes `photos.s3.example.org` the bucket `photos`. */
  readonly serviceNames: readonly ServiceName[];
  /** Path prefixes under which path style is served besides `/`, such as `/api/v1/s3`. */
  readonly basePaths?: readonly string[];
}

export type AddressingStyle = "service" | "path" | "virtual-host";

export interface Address {
  readonly style: AddressingStyle;
  /** Undefined for the service. Not checked against the naming rules. */
  readonly bucket: string | undefined;
  /** Undefined when the request names no object. */
  readonly key: string | undefined;
}

/** Parses a service name from a setting; undefined when it is no `host` or `host:port`. */
export function parseServiceName(text: string): ServiceName | undefined {
  return parseAuthority(text);
}

/**
 * Resolves bucket and key. `host` is the result of requestAuthority. Throws InvalidURI (bad escape,
 * not UTF-8), KeyTooLongError (over 1,024 bytes), InvalidBucketName (empty bucket before a key).
 */
export function resolveAddress(
  target: RequestTarget,
  host: Authority | undefined,
  options: AddressingOptions,
): Address {
  const bucket = host === undefined ? undefined : hostBucket(host, options.serviceNames);
  if (bucket !== undefined) {
    return { style: "virtual-host", bucket, key: decodeKey(target.rawPath.slice(1)) };
  }
  const rawPath = withoutBasePath(target.rawPath, options.basePaths ?? []);
  if (rawPath === "/") return { style: "service", bucket: undefined, key: undefined };
  const slash = rawPath.indexOf("/", 1);
  const rawBucket = slash < 0 ? rawPath.slice(1) : rawPath.slice(1, slash);
  if (rawBucket === "") throw new S3Error("InvalidBucketName");
  return {
    style: "path",
    bucket: percentDecodeText(rawBucket, false),
    key: slash < 0 ? undefined : decodeKey(rawPath.slice(slash + 1)),
  };
}

function withoutBasePath(rawPath: string, basePaths: readonly string[]): string {
  for (const basePath of basePaths) {
    const prefix = basePath.endsWith("/") ? basePath.slice(0, -1) : basePath;
    if (prefix === "") continue;
    if (rawPath === prefix) return "/";
    if (rawPath.startsWith(`${prefix}/`)) return rawPath.slice(prefix.length);
  }
  return rawPath;
}

/** The labels in front of the longest service name that `host` ends with. */
function hostBucket(host: Authority, serviceNames: readonly ServiceName[]): string | undefined {
  let longest = 0;
  let bucket: string | undefined;
  for (const { name, port } of serviceNames) {
    if (port !== undefined && port !== host.port) continue;
    // The service name itself is no bucket, even when it ends with a shorter service name.
    if (host.name === name) return undefined;
    if (name.length > longest && host.name.endsWith(`.${name}`)) {
      longest = name.length;
      bucket = host.name.slice(0, -name.length - 1);
    }
  }
  return bucket;
}

function decodeKey(rawKey: string): string | undefined {
  return rawKey === "" ? undefined : checkKey(percentDecodeText(rawKey, false));
}

/**
 * Returns `key` when it can name an object: well-formed and 1..1024 bytes of UTF-8. Throws
 * InvalidURI or KeyTooLongError. Use it for keys from XML bodies, forms and copy sources too.
 */
export function checkKey(key: string): string {
  if (key === "" || !key.isWellFormed()) throw new S3Error("InvalidURI");
  const bytes = Buffer.byteLength(key, "utf8");
  if (bytes > KEY_BYTES_MAX) {
    throw new S3Error("KeyTooLongError", undefined, {
      details: [
        ["Size", String(bytes)],
        ["MaxSizeAllowed", String(KEY_BYTES_MAX)],
      ],
    });
  }
  return key;
}

export interface CopySource {
  readonly bucket: string;
  readonly key: string;
  readonly versionId: string | undefined;
}

/**
 * Parses x-amz-copy-source: `bucket/key` or `/bucket/key`, percent-encoded, slashes too where the
 * client did so, with an optional `?versionId=`. The query mark is looked for before decoding, so a
 * `%3F` stays part of the key.
 */
export function parseCopySource(header: string): CopySource {
  const mark = header.lastIndexOf("?versionId=");
  const rawPath = mark < 0 ? header : header.slice(0, mark);
  const versionId = mark < 0 ? undefined : percentDecodeText(header.slice(mark + 11), false);
  const path = percentDecodeText(rawPath.replace(/^(?:\/|%2[Ff])/, ""), false);
  const slash = path.indexOf("/");
  if (slash <= 0 || slash === path.length - 1 || versionId === "") {
    throw new S3Error(
      "InvalidArgument",
      "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
      {
        details: [
          ["ArgumentName", "x-amz-copy-source"],
          ["ArgumentValue", header],
        ],
      },
    );
  }
  return { bucket: path.slice(0, slash), key: checkKey(path.slice(slash + 1)), versionId };
}

/** A part of a bucket that is shown as a bucket. */
export interface BucketView {
  readonly bucket: string;
  /** Prefix of the keys it shows; ends with `/`. */
  readonly prefix: string;
}

/**
 * Reads a bucket name as a view (client row C2): `a:b:c` is what lies under `b/c/` in bucket `a`.
 * Undefined when the name is no view. Throws InvalidBucketName when a piece is empty or holds a
 * slash.
 */
export function parseBucketView(name: string): BucketView | undefined {
  const [bucket = "", ...pieces] = name.split(":");
  if (pieces.length === 0) return undefined;
  if ([bucket, ...pieces].some((piece) => piece === "" || piece.includes("/"))) {
    throw new S3Error("InvalidBucketName");
  }
  return { bucket, prefix: `${pieces.join("/")}/` };
}
