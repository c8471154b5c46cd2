// Checksums between their stored records, the protocol's names and the headers of answers.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { present } from "../../lib/base/assert.ts";
import { StoreError } from "../../lib/base/errors.ts";
import {
  ChecksumAlgorithm as AlgorithmRecord,
  type Checksum,
  type ChecksumSchema,
  ChecksumType as TypeRecord,
} from "../../lib/gen/dolium/record/v1/object_pb.ts";
import { type ChecksumType, checksumHeaderName } from "../../lib/s3/checksum-headers.ts";
import type { ChecksumAlgorithm } from "../../lib/s3/checksums.ts";
import { type StoredChecksum, storedChecksumText } from "../../lib/s3/document-parts.ts";
import type { HeaderField } from "../../lib/s3/headers.ts";

export type ChecksumInit = MessageInitShape<typeof ChecksumSchema>;

const ALGORITHMS: ReadonlyMap<number, ChecksumAlgorithm> = new Map([
  [AlgorithmRecord.CRC32, "CRC32"],
  [AlgorithmRecord.CRC32C, "CRC32C"],
  [AlgorithmRecord.CRC64NVME, "CRC64NVME"],
  [AlgorithmRecord.SHA1, "SHA1"],
  [AlgorithmRecord.SHA256, "SHA256"],
  [AlgorithmRecord.SHA512, "SHA512"],
  [AlgorithmRecord.MD5, "MD5"],
  [AlgorithmRecord.XXHASH64, "XXHASH64"],
  [AlgorithmRecord.XXHASH3, "XXHASH3"],
  [AlgorithmRecord.XXHASH128, "XXHASH128"],
]);

/** The algorithm of a record; undefined for UNSPECIFIED. Throws "corrupt" for one nobody knows. */
export function algorithmOf(record: number): ChecksumAlgorithm | undefined {
  if (record === AlgorithmRecord.UNSPECIFIED) return undefined;
  const algorithm = ALGORITHMS.get(record);
  if (algorithm === undefined) throw new StoreError("corrupt", `checksum algorithm ${record}`);
  return algorithm;
}

export function typeOf(record: number): ChecksumType | undefined {
  switch (record) {
    case TypeRecord.UNSPECIFIED:
      return undefined;
    case TypeRecord.FULL_OBJECT:
      return "FULL_OBJECT";
    case TypeRecord.COMPOSITE:
      return "COMPOSITE";
    default:
      throw new StoreError("corrupt", `checksum type ${record}`);
  }
}

export function algorithmRecord(algorithm: ChecksumAlgorithm | undefined): AlgorithmRecord {
  return algorithm === undefined ? AlgorithmRecord.UNSPECIFIED : AlgorithmRecord[algorithm];
}

export function typeRecord(type: ChecksumType | undefined): TypeRecord {
  return type === undefined ? TypeRecord.UNSPECIFIED : TypeRecord[type];
}

export function toRecord(checksum: StoredChecksum): ChecksumInit {
  return {
    algorithm: algorithmRecord(checksum.algorithm),
    type: typeRecord(checksum.type),
    value: checksum.digest,
    partCount: checksum.type === "COMPOSITE" ? checksum.partCount : 0,
  };
}

export function fromRecord(record: Checksum): StoredChecksum {
  return {
    algorithm: present(algorithmOf(record.algorithm), "checksum algorithm"),
    type: typeOf(record.type) ?? "FULL_OBJECT",
    digest: record.value,
    partCount: record.partCount,
  };
}

/** A checksum of bytes written at once. */
export function fullObject(algorithm: ChecksumAlgorithm, digest: Uint8Array): StoredChecksum {
  return { algorithm, type: "FULL_OBJECT", digest, partCount: 0 };
}

/** x-amz-checksum-* and x-amz-checksum-type of an answer. */
export function checksumFields(checksums: readonly StoredChecksum[]): HeaderField[] {
  const fields: HeaderField[] = checksums.map((checksum) => [
    checksumHeaderName(checksum.algorithm),
    storedChecksumText(checksum),
  ]);
  const [first] = checksums;
  if (first !== undefined) fields.push(["x-amz-checksum-type", first.type]);
  return fields;
}
