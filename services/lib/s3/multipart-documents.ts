// Response documents of multipart uploads: initiate, complete, part listing, upload listing.
// Element names and order follow the response syntax of the Amazon S3 API reference.
import type { ChecksumType } from "./checksum-headers.ts";
import type { ChecksumAlgorithm } from "./checksums.ts";
import {
  type EncodingType,
  encodeFor,
  type Owner,
  openDocument,
  type StoredChecksum,
  writeChecksums,
  writeCommonPrefixes,
  writeOwner,
} from "./document-parts.ts";
import { quoteEtag } from "./etag.ts";
import { formatIsoDate } from "./http-date.ts";

export interface InitiateMultipartUploadResult {
  readonly bucket: string;
  readonly key: string;
  readonly uploadId: string;
}

export function initiateMultipartUploadDocument(result: InitiateMultipartUploadResult): string {
  const writer = openDocument("InitiateMultipartUploadResult");
  writer.leaf("Bucket", result.bucket).leaf("Key", result.key).leaf("UploadId", result.uploadId);
  return writer.close("InitiateMultipartUploadResult").finish();
}

export interface CompleteMultipartUploadResult {
  /** URL of the object. */
  readonly location: string;
  readonly bucket: string;
  readonly key: string;
  /** Unquoted. */
  readonly etag: string;
  readonly checksums: readonly StoredChecksum[];
}

export function completeMultipartUploadDocument(result: CompleteMultipartUploadResult): string {
  const writer = openDocument("CompleteMultipartUploadResult");
  writer.leaf("Location", result.location).leaf("Bucket", result.bucket);
  writer.leaf("Key", result.key).leaf("ETag", quoteEtag(result.etag));
  writeChecksums(writer, result.checksums);
  writer.optional("ChecksumType", result.checksums[0]?.type);
  return writer.close("CompleteMultipartUploadResult").finish();
}

export interface ListedPart {
  readonly partNumber: number;
  readonly lastModifiedMs: number;
  /** Unquoted. */
  readonly etag: string;
  readonly size: number;
  readonly checksums: readonly StoredChecksum[];
}

export interface ListPartsResult {
  readonly bucket: string;
  readonly key: string;
  readonly uploadId: string;
  readonly partNumberMarker: number;
  readonly nextPartNumberMarker: number | undefined;
  readonly maxParts: number;
  readonly encodingType: EncodingType;
  readonly isTruncated: boolean;
  readonly parts: readonly ListedPart[];
  readonly initiator: Owner;
  readonly owner: Owner;
  readonly storageClass: string;
  readonly checksumAlgorithm?: ChecksumAlgorithm | undefined;
  readonly checksumType?: ChecksumType | undefined;
}

export function listPartsDocument(result: ListPartsResult): string {
  const writer = openDocument("ListPartsResult");
  writer.leaf("Bucket", result.bucket);
  writer.optional("EncodingType", result.encodingType);
  writer.leaf("Key", encodeFor(result.encodingType)(result.key));
  writer.leaf("UploadId", result.uploadId);
  writeOwner(writer, "Initiator", result.initiator);
  writeOwner(writer, "Owner", result.owner);
  writer.leaf("StorageClass", result.storageClass);
  writer.leaf("PartNumberMarker", result.partNumberMarker);
  writer.optional("NextPartNumberMarker", result.nextPartNumberMarker);
  writer.leaf("MaxParts", result.maxParts).leaf("IsTruncated", result.isTruncated);
  writer.optional("ChecksumAlgorithm", result.checksumAlgorithm);
  writer.optional("ChecksumType", result.checksumType);
  for (const part of result.parts) {
    writer.open("Part").leaf("PartNumber", part.partNumber);
    writer.leaf("LastModified", formatIsoDate(part.lastModifiedMs));
    writer.leaf("ETag", quoteEtag(part.etag)).leaf("Size", part.size);
    writeChecksums(writer, part.checksums);
    writer.close("Part");
  }
  return writer.close("ListPartsResult").finish();
}

export interface ListedUpload {
  readonly key: string;
  readonly uploadId: string;
  readonly initiator: Owner;
  readonly owner: Owner;
  readonly storageClass: string;
  readonly initiatedMs: number;
  readonly checksumAlgorithm?: ChecksumAlgorithm | undefined;
  readonly checksumType?: ChecksumType | undefined;
}

export interface ListUploadsResult {
  readonly bucket: string;
  readonly keyMarker: string;
  readonly uploadIdMarker: string;
  readonly nextKeyMarker: string | undefined;
  readonly nextUploadIdMarker: string | undefined;
  readonly prefix: string;
  readonly delimiter: string | undefined;
  readonly encodingType: EncodingType;
  readonly maxUploads: number;
  readonly isTruncated: boolean;
  readonly uploads: readonly ListedUpload[];
  readonly commonPrefixes: readonly string[];
}

export function listUploadsDocument(result: ListUploadsResult): string {
  const encode = encodeFor(result.encodingType);
  const writer = openDocument("ListMultipartUploadsResult");
  writer.leaf("Bucket", result.bucket).leaf("KeyMarker", encode(result.keyMarker));
  writer.leaf("UploadIdMarker", result.uploadIdMarker);
  if (result.nextKeyMarker !== undefined) {
    writer.leaf("NextKeyMarker", encode(result.nextKeyMarker));
  }
  writer.optional("NextUploadIdMarker", result.nextUploadIdMarker);
  writer.leaf("Prefix", encode(result.prefix));
  if (result.delimiter !== undefined) writer.leaf("Delimiter", encode(result.delimiter));
  writer.optional("EncodingType", result.encodingType);
  writer.leaf("MaxUploads", result.maxUploads).leaf("IsTruncated", result.isTruncated);
  for (const upload of result.uploads) {
    writer.open("Upload").leaf("Key", encode(upload.key)).leaf("UploadId", upload.uploadId);
    writeOwner(writer, "Initiator", upload.initiator);
    writeOwner(writer, "Owner", upload.owner);
    writer.leaf("StorageClass", upload.storageClass);
    writer.leaf("Initiated", formatIsoDate(upload.initiatedMs));
    writer.optional("ChecksumAlgorithm", upload.checksumAlgorithm);
    writer.optional("ChecksumType", upload.checksumType).close("Upload");
  }
  writeCommonPrefixes(writer, result.commonPrefixes, encode);
  return writer.close("ListMultipartUploadsResult").finish();
}
