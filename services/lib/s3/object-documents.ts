// Response documents of object actions: copy, part copy, multi-object delete. Element names and
// order follow the response syntax of the Amazon S3 API reference.
import { openDocument, type StoredChecksum, writeChecksums } from "./document-parts.ts";
import type { S3ErrorCode } from "./errors.ts";
import { quoteEtag } from "./etag.ts";
import { formatIsoDate } from "./http-date.ts";

export interface CopyResult {
  readonly lastModifiedMs: number;
  /** Unquoted. */
  readonly etag: string;
  readonly checksums: readonly StoredChecksum[];
}

export function copyObjectDocument(result: CopyResult): string {
  return copyDocument("CopyObjectResult", result);
}

export function copyPartDocument(result: CopyResult): string {
  return copyDocument("CopyPartResult", result);
}

function copyDocument(name: "CopyObjectResult" | "CopyPartResult", result: CopyResult): string {
  const writer = openDocument(name);
  writer.leaf("LastModified", formatIsoDate(result.lastModifiedMs));
  writer.leaf("ETag", quoteEtag(result.etag));
  if (name === "CopyObjectResult") writer.optional("ChecksumType", result.checksums[0]?.type);
  writeChecksums(writer, result.checksums);
  return writer.close(name).finish();
}

export interface DeletedObject {
  readonly kind: "deleted";
  readonly key: string;
  /** The version the client named. */
  readonly versionId?: string | undefined;
  /** True when a delete marker was made or removed. */
  readonly deleteMarker?: boolean | undefined;
  readonly deleteMarkerVersionId?: string | undefined;
}

export interface DeleteFailure {
  readonly kind: "error";
  readonly key: string;
  readonly versionId?: string | undefined;
  readonly code: S3ErrorCode;
  readonly message: string;
}

export interface DeleteResult {
  /** Leave out what succeeded. */
  readonly quiet: boolean;
  /** In the order of the request. */
  readonly outcomes: readonly (DeletedObject | DeleteFailure)[];
}

export function deleteDocument(result: DeleteResult): string {
  const writer = openDocument("DeleteResult");
  for (const outcome of result.outcomes) {
    if (outcome.kind === "error") {
      writer.open("Error").leaf("Key", outcome.key).optional("VersionId", outcome.versionId);
      writer.leaf("Code", outcome.code).leaf("Message", outcome.message).close("Error");
    } else if (!result.quiet) {
      writer.open("Deleted").leaf("Key", outcome.key).optional("VersionId", outcome.versionId);
      writer.optional("DeleteMarker", outcome.deleteMarker);
      writer.optional("DeleteMarkerVersionId", outcome.deleteMarkerVersionId).close("Deleted");
    }
  }
  return writer.close("DeleteResult").finish();
}
