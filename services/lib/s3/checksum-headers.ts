// The headers by which a client states what its body hashes to: Content-MD5, x-amz-checksum-*,
// x-amz-trailer, x-amz-sdk-checksum-algorithm and those of multipart uploads. Parses them strictly
// and compares results. Source: Amazon S3 API reference, PutObject, CreateMultipartUpload, error
// codes.
import { assert } from "../base/assert.ts";
import { equalBytes, toHex } from "../base/bytes.ts";
import { decodeBase64, encodeBase64 } from "./base64.ts";
import { isCrcAlgorithm } from "./checksum-combine.ts";
import { CHECKSUM_ALGORITHMS, type ChecksumAlgorithm, digestBytes } from "./checksums.ts";
import { S3Error } from "./errors.ts";
import { type HeaderList, trimSpace } from "./headers.ts";

const PREFIX = "x-amz-checksum-";
/** Headers with the prefix that carry no digest. */
const NOT_DIGESTS: ReadonlySet<string> = new Set(["algorithm", "mode", "type"]);

/** What a client says about the checksum of a body. */
export interface RequestedChecksum {
  readonly algorithm: ChecksumAlgorithm;
  /** Where the value is: known now, or in the trailer of that name after the body. */
  readonly value:
    | { readonly kind: "header"; readonly digest: Uint8Array }
    | { readonly kind: "trailer"; readonly name: string };
}

export type ChecksumType = "COMPOSITE" | "FULL_OBJECT";

export interface MultipartChecksum {
  readonly algorithm: ChecksumAlgorithm;
  readonly type: ChecksumType;
}

/** Lower-case header that carries a digest of `algorithm`. */
export function checksumHeaderName(algorithm: ChecksumAlgorithm): string {
  return `${PREFIX}${algorithm.toLowerCase()}`;
}

/** The algorithm whose digests a header of this name carries, or undefined. */
export function algorithmOfHeader(name: string): ChecksumAlgorithm | undefined {
  return CHECKSUM_ALGORITHMS.find((algorithm) => checksumHeaderName(algorithm) === name);
}

/** The 16 bytes of Content-MD5, or undefined without the header. Throws InvalidDigest. */
export function parseContentMd5(headers: HeaderList): Uint8Array | undefined {
  const text = headers.get("content-md5");
  if (text === undefined) return undefined;
  const digest = decodeBase64(text);
  if (digest?.byteLength === 16) return digest;
  throw new S3Error("InvalidDigest", undefined, { details: [["Content-MD5", text]] });
}

/** Throws BadDigest unless the body's MD5 is the one the client sent. */
export function checkContentMd5(expected: Uint8Array, computed: Uint8Array): void {
  if (equalBytes(expected, computed)) return;
  throw new S3Error("BadDigest", undefined, {
    details: [
      ["ExpectedDigest", encodeBase64(expected)],
      ["CalculatedDigest", encodeBase64(computed)],
    ],
  });
}

/** Throws XAmzContentSHA256Mismatch unless the body's SHA-256 is the one that was signed. */
export function checkContentSha256(expected: Uint8Array, computed: Uint8Array): void {
  if (equalBytes(expected, computed)) return;
  throw new S3Error("XAmzContentSHA256Mismatch", undefined, {
    details: [
      ["ClientComputedContentSHA256", toHex(expected)],
      ["S3ComputedContentSHA256", toHex(computed)],
    ],
  });
}

/** Throws BadDigest unless `computed` is the checksum the client sent. */
export function checkChecksum(
  algorithm: ChecksumAlgorithm,
  expected: Uint8Array,
  computed: Uint8Array,
): void {
  assert(computed.byteLength === digestBytes(algorithm), "checkChecksum: digest of another kind");
  if (equalBytes(expected, computed)) return;
  throw new S3Error(
    "BadDigest",
    `The ${algorithm} you specified did not match the calculated checksum.`,
  );
}

function invalidRequest(message: string): S3Error {
  return new S3Error("InvalidRequest", message);
}

/** The digest in base64 `text`, sent as `name`. Throws InvalidRequest when it is none. */
export function parseChecksumValue(
  algorithm: ChecksumAlgorithm,
  name: string,
  text: string,
): Uint8Array {
  const digest = decodeBase64(text);
  if (digest?.byteLength === digestBytes(algorithm)) return digest;
  throw invalidRequest(`Value for ${name} header is invalid.`);
}

/** Names announced by x-amz-trailer, lower case. Throws InvalidRequest for other than checksums. */
export function parseTrailerNames(headers: HeaderList): readonly string[] {
  const text = headers.get("x-amz-trailer");
  if (text === undefined) return [];
  const names = text.split(",").map((name) => trimSpace(name).toLowerCase());
  const known = names.every((name) => algorithmOfHeader(name) !== undefined);
  if (known && new Set(names).size === names.length) return names;
  throw invalidRequest("The value specified in the x-amz-trailer header is not supported");
}

/**
 * The checksum a PutObject or UploadPart request states, or undefined. Throws InvalidRequest when
 * it states several, an unknown one, a malformed value, or contradicts itself.
 */
export function parseChecksumHeaders(headers: HeaderList): RequestedChecksum | undefined {
  const found: RequestedChecksum[] = [];
  for (const name of headers.names()) {
    if (!name.startsWith(PREFIX) || NOT_DIGESTS.has(name.slice(PREFIX.length))) continue;
    const algorithm = algorithmOfHeader(name);
    if (algorithm === undefined) {
      throw invalidRequest(
        "The algorithm type you specified in x-amz-checksum- header is invalid.",
      );
    }
    const digest = parseChecksumValue(algorithm, name, headers.get(name) ?? "");
    found.push({ algorithm, value: { kind: "header", digest } });
  }
  for (const name of parseTrailerNames(headers)) {
    const algorithm = algorithmOfHeader(name);
    if (algorithm !== undefined) found.push({ algorithm, value: { kind: "trailer", name } });
  }
  if (found.length > 1) {
    throw invalidRequest(
      "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
    );
  }
  const stated = parseAlgorithmName(headers, "x-amz-sdk-checksum-algorithm");
  if (stated !== undefined && found.length === 0) {
    // What SDKs send that know MD5 only as Content-MD5.
    if (stated === "MD5" && headers.has("content-md5")) return undefined;
    throw invalidRequest(
      "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or " +
        "x-amz-trailer headers were found.",
    );
  }
  if (stated !== undefined && found[0]?.algorithm !== stated) {
    throw invalidRequest("Value for x-amz-sdk-checksum-algorithm header is invalid.");
  }
  return found[0];
}

function parseAlgorithmName(headers: HeaderList, name: string): ChecksumAlgorithm | undefined {
  const text = headers.get(name);
  if (text === undefined) return undefined;
  const algorithm = CHECKSUM_ALGORITHMS.find((known) => known === text.toUpperCase());
  if (algorithm !== undefined) return algorithm;
  throw invalidRequest(
    "Checksum algorithm provided is unsupported. Please try again with any of the valid types: " +
      `[${CHECKSUM_ALGORITHMS.join(", ")}]`,
  );
}

/** x-amz-checksum-algorithm of CopyObject. Throws InvalidRequest when unknown. */
export function parseCopyChecksumAlgorithm(headers: HeaderList): ChecksumAlgorithm | undefined {
  return parseAlgorithmName(headers, "x-amz-checksum-algorithm");
}

/** The type an algorithm has unless the client chooses. */
export function defaultChecksumType(algorithm: ChecksumAlgorithm): ChecksumType {
  return algorithm === "CRC64NVME" ? "FULL_OBJECT" : "COMPOSITE";
}

/**
 * Algorithm and type of CreateMultipartUpload, or undefined when it names none. Throws
 * InvalidRequest for unknown values, a type without an algorithm, and pairs that do not exist.
 */
export function parseMultipartChecksum(headers: HeaderList): MultipartChecksum | undefined {
  const algorithm = parseAlgorithmName(headers, "x-amz-checksum-algorithm");
  const type = parseChecksumType(headers);
  if (algorithm === undefined) {
    if (type === undefined) return undefined;
    throw invalidRequest(
      "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
    );
  }
  const chosen = type ?? defaultChecksumType(algorithm);
  const impossible =
    (chosen === "FULL_OBJECT" && !isCrcAlgorithm(algorithm)) ||
    (chosen === "COMPOSITE" && algorithm === "CRC64NVME");
  if (!impossible) return { algorithm, type: chosen };
  throw invalidRequest(
    `The ${chosen} checksum type cannot be used with the ${algorithm.toLowerCase()} ` +
      "checksum algorithm.",
  );
}

/** x-amz-checksum-type of CreateMultipartUpload and CompleteMultipartUpload. */
export function parseChecksumType(headers: HeaderList): ChecksumType | undefined {
  const text = headers.get("x-amz-checksum-type");
  if (text === undefined || text === "COMPOSITE" || text === "FULL_OBJECT") return text;
  throw invalidRequest("Value for x-amz-checksum-type header is invalid.");
}
