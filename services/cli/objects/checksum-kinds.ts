// The checksums that transfers carry end to end: which field of a request or answer holds which
// algorithm, digests of buffers, and the whole checksum of a body from those of its parts.
import { createHash } from "node:crypto";
import { assert } from "../../lib/base/assert.ts";
import { encodeBase64 } from "../../lib/s3/base64.ts";
import {
  checksumText,
  compositeOfParts,
  fullObjectOfParts,
  isCrcAlgorithm,
  type PartDigest,
} from "../../lib/s3/checksum-combine.ts";
import { type ChecksumFactory, digestOf } from "../../lib/s3/checksums.ts";
import { UsageError } from "../command-line.ts";

/** What every S3 server that knows checksums knows, best first. */
export const CARRIED = ["CRC64NVME", "CRC32C", "CRC32", "SHA256", "SHA1"] as const;
export type Carried = (typeof CARRIED)[number];

/** The fields that requests and answers of the SDK share. */
export interface ChecksumFields {
  ChecksumCRC64NVME?: string | undefined;
  ChecksumCRC32C?: string | undefined;
  ChecksumCRC32?: string | undefined;
  ChecksumSHA256?: string | undefined;
  ChecksumSHA1?: string | undefined;
}

/** A checksum as S3 writes it: base64, with `-N` when it is made of the checksums of N parts. */
export interface Checksum {
  readonly algorithm: Carried;
  readonly value: string;
}

/** The option's value; undefined for `none`: then parts carry Content-MD5. Throws UsageError. */
export function parseAlgorithm(text: string | undefined): Carried | undefined {
  if (text === undefined) return "CRC64NVME";
  if (text.toLowerCase() === "none") return undefined;
  const found = CARRIED.find((name) => name === text.toUpperCase());
  if (found === undefined) {
    throw new UsageError(`--checksum wants ${CARRIED.join(", ")} or none, not "${text}"`);
  }
  return found;
}

export function checksumField(checksum: Checksum | undefined): ChecksumFields {
  return checksum === undefined ? {} : { [`Checksum${checksum.algorithm}`]: checksum.value };
}

/** The best checksum of an answer; undefined when it has none. */
export function checksumOf(fields: ChecksumFields): Checksum | undefined {
  for (const algorithm of CARRIED) {
    const value = fields[`Checksum${algorithm}`];
    if (value !== undefined && value !== "") return { algorithm, value };
  }
  return undefined;
}

/** Of how many parts a checksum or an entity tag is made; undefined for a plain one. */
export function partCountOf(value: string): number | undefined {
  const match = /-([0-9]{1,5})$/.exec(value);
  return match === null ? undefined : Number(match[1]);
}

export function bufferChecksum(
  factory: ChecksumFactory,
  algorithm: Carried,
  view: Uint8Array,
): Checksum {
  return { algorithm, value: encodeBase64(digestOf(factory, algorithm, view)) };
}

export function md5Base64(view: Uint8Array): string {
  return createHash("md5").update(view).digest("base64");
}

export function md5Hex(view: Uint8Array): string {
  return createHash("md5").update(view).digest("hex");
}

export interface CheckedPart {
  readonly checksum: Checksum;
  readonly bytes: number;
}

/**
 * The checksum of the object that `parts` (at least one) make: of all bytes for the CRCs, of the
 * checksums for the others. Source: S3 user guide, "Checking object integrity", multipart uploads.
 */
export function wholeChecksum(factory: ChecksumFactory, parts: readonly CheckedPart[]): Checksum {
  const algorithm = parts[0]?.checksum.algorithm;
  assert(algorithm !== undefined, "wholeChecksum: no parts");
  const digests: PartDigest[] = parts.map(({ checksum, bytes }) => ({
    digest: Buffer.from(checksum.value, "base64"),
    bytes,
  }));
  if (isCrcAlgorithm(algorithm)) {
    return { algorithm, value: encodeBase64(fullObjectOfParts(algorithm, digests)) };
  }
  const all = digests.map(({ digest }) => digest);
  const composite = compositeOfParts(factory, algorithm, all);
  return { algorithm, value: checksumText(composite, parts.length) };
}

/** Unquoted, lower case. */
export function bareEtag(etag: string | undefined): string {
  return (etag ?? "").replaceAll('"', "").toLowerCase();
}

/** Whether an entity tag may be the MD5 of the body (with SSE-KMS or SSE-C it is not). */
export function isMd5Etag(etag: string): boolean {
  return /^[0-9a-f]{32}$/.test(etag);
}
