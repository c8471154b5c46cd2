// Turns the parts a client names into the version they make: checks each against what was stored,
// then computes size, entity tag and checksum without reading a byte of body again.
import { createHash } from "node:crypto";
import { equalBytes, toHex, toSafeNumber } from "../../lib/base/bytes.ts";
import { OBJECT_BYTES_MAX, PART_BYTES_MIN } from "../../lib/base/limits.ts";
import type { Part, Upload } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import {
  compositeOfParts,
  fullObjectOfParts,
  isCrcAlgorithm,
  multipartEtag,
} from "../../lib/s3/checksum-combine.ts";
import { type ChecksumType, defaultChecksumType } from "../../lib/s3/checksum-headers.ts";
import type { ChecksumAlgorithm, ChecksumFactory } from "../../lib/s3/checksums.ts";
import type { StoredChecksum } from "../../lib/s3/document-parts.ts";
import { S3Error } from "../../lib/s3/errors.ts";
import type { CompletedPart } from "../../lib/s3/xml-requests.ts";
import { algorithmOf, fromRecord, typeOf } from "./checksum-records.ts";
import { uploadIdText } from "./uploads.ts";

export interface CompletedBody {
  readonly parts: readonly Part[];
  readonly size: number;
  /** Unquoted, with `-N`. */
  readonly etag: string;
  readonly checksums: readonly StoredChecksum[];
}

/**
 * The same request gives the same digest: SHA-256 over numbers and entity tags as the client named
 * them.
 */
export function digestOfRequest(named: readonly CompletedPart[]): Uint8Array {
  const hash = createHash("sha256");
  for (const { partNumber, etag } of named) hash.update(`${partNumber} ${etag ?? ""}\n`);
  return hash.digest();
}

/**
 * Checks the named parts and computes what they make. `stored`: the upload's parts of these
 * numbers. Throws InvalidPart, EntityTooSmall, EntityTooLarge, InvalidRequest (missing part
 * checksums).
 */
export function assembleParts(
  upload: Upload,
  parts: { readonly named: readonly CompletedPart[]; readonly stored: readonly Part[] },
  factory: ChecksumFactory,
): CompletedBody {
  const byNumber = new Map(parts.stored.map((part) => [part.partNumber, part]));
  const chosen = parts.named.map((named) => {
    const part = byNumber.get(named.partNumber);
    if (part === undefined || !isSamePart(named, part)) throw invalidPart(upload, named);
    requireChecksum(upload, named);
    return part;
  });
  const size = checkSizes(chosen);
  const etag = multipartEtag(chosen.map((part) => part.md5));
  return { parts: chosen, size, etag, checksums: checksumsOf(upload, chosen, factory) };
}

function isSamePart(named: CompletedPart, part: Part): boolean {
  // Without a tag, which only the lenient setting lets pass, the part under the number is meant.
  if (named.etag !== undefined && named.etag !== toHex(part.md5)) return false;
  return part.checksums.map(fromRecord).every(({ algorithm, digest }) => {
    const claimed = named.checksums.get(algorithm);
    return claimed === undefined || equalBytes(claimed, digest);
  });
}

function invalidPart(upload: Upload, { partNumber, etag }: CompletedPart): S3Error {
  return new S3Error("InvalidPart", undefined, {
    details: [
      ["UploadId", uploadIdText(upload.uploadId)],
      ["PartNumber", String(partNumber)],
      ["ETag", etag ?? ""],
    ],
  });
}

/** A composite checksum is only as good as the client's own word for each part. */
function requireChecksum(upload: Upload, named: CompletedPart): void {
  const algorithm = algorithmOf(upload.checksumAlgorithm);
  if (algorithm === undefined || typeOf(upload.checksumType) !== "COMPOSITE") return;
  if (named.checksums.has(algorithm)) return;
  throw new S3Error(
    "InvalidRequest",
    `The upload was created using a ${algorithm.toLowerCase()} checksum. The complete request ` +
      "must include the checksum for each part. It was missing for part " +
      `${named.partNumber} in the request.`,
  );
}

function checkSizes(parts: readonly Part[]): number {
  let size = 0;
  parts.forEach((part, index) => {
    const partSize = toSafeNumber(part.size);
    if (partSize < PART_BYTES_MIN && index < parts.length - 1) {
      throw new S3Error("EntityTooSmall", undefined, {
        details: [
          ["ProposedSize", String(partSize)],
          ["MinSizeAllowed", String(PART_BYTES_MIN)],
          ["PartNumber", String(part.partNumber)],
          ["ETag", toHex(part.md5)],
        ],
      });
    }
    size += partSize;
  });
  if (size <= OBJECT_BYTES_MAX) return size;
  throw new S3Error("EntityTooLarge", undefined, {
    details: [
      ["ProposedSize", String(size)],
      ["MaxSizeAllowed", String(OBJECT_BYTES_MAX)],
    ],
  });
}

/** The object's checksum, when every part has one of the algorithm. */
function checksumsOf(
  upload: Upload,
  parts: readonly Part[],
  factory: ChecksumFactory,
): StoredChecksum[] {
  const algorithm = algorithmOf(upload.checksumAlgorithm) ?? commonAlgorithm(parts);
  if (algorithm === undefined) return [];
  const digests = parts.flatMap((part) => {
    const checksum = part.checksums.map(fromRecord).find((one) => one.algorithm === algorithm);
    return checksum === undefined
      ? []
      : [{ digest: checksum.digest, bytes: toSafeNumber(part.size) }];
  });
  if (digests.length !== parts.length) return [];
  const type: ChecksumType = typeOf(upload.checksumType) ?? defaultChecksumType(algorithm);
  const partCount = parts.length;
  if (type === "FULL_OBJECT" && isCrcAlgorithm(algorithm)) {
    return [{ algorithm, type, digest: fullObjectOfParts(algorithm, digests), partCount: 0 }];
  }
  const pieces = digests.map(({ digest }) => digest);
  const digest = compositeOfParts(factory, algorithm, pieces);
  return [{ algorithm, type: "COMPOSITE", digest, partCount }];
}

/** The algorithm that the first part came with, when the upload named none. */
function commonAlgorithm(parts: readonly Part[]): ChecksumAlgorithm | undefined {
  return parts[0]?.checksums.map(fromRecord)[0]?.algorithm;
}
