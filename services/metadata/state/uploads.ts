// Multipart uploads in progress: the record, its parts, and freeing them.

import { PART_NUMBER_MAX } from "../../lib/base/limits.ts";
import {
  type Part,
  PartSchema,
  type Upload,
  UploadSchema,
} from "../../lib/gen/dolium/record/v1/object_pb.ts";
import type { CommandContext } from "./context.ts";
import { partKey, partPrefix, prefixRange, uploadKey } from "./keys.ts";
import { freeManifest } from "./manifests.ts";
import { decodeRecord, readRecord, type StateReader, type StateWriter } from "./records.ts";
import { partBytes } from "./usage.ts";

export interface UploadName {
  readonly bucketId: number;
  readonly key: Uint8Array;
  readonly uploadId: Uint8Array;
}

export function readUpload(reader: StateReader, name: UploadName): Upload | undefined {
  return readRecord(reader, UploadSchema, uploadKey(name.bucketId, name.key, name.uploadId));
}

/** All parts of an upload, ascending. */
export async function readParts(
  reader: StateReader,
  { bucketId, uploadId }: { readonly bucketId: number; readonly uploadId: Uint8Array },
): Promise<Part[]> {
  const range = prefixRange(partPrefix(bucketId, uploadId));
  const entries = await reader.scan(range, PART_NUMBER_MAX + 1);
  return entries.map(([, payload]) => decodeRecord(PartSchema, payload));
}

/** Takes the upload and all its part records away; frees the manifests of parts not in `kept`. */
export function endUpload(
  view: StateWriter,
  context: CommandContext,
  upload: UploadName & { readonly parts: readonly Part[]; readonly kept: ReadonlySet<number> },
): void {
  const { bucketId, key, uploadId, parts, kept } = upload;
  for (const { partNumber, manifestId } of parts) {
    view.delete(partKey(bucketId, uploadId, partNumber));
    if (!kept.has(partNumber)) freeManifest(view, context, { bucketId, manifestId });
  }
  view.delete(uploadKey(bucketId, key, uploadId));
  context.usage.add(bucketId, { uploadBytes: -partBytes(parts) });
  context.count("uploads", -1);
}
