// GetUpload: a multipart upload with some or all of its parts, or how it was completed.
import { create } from "@bufbuild/protobuf";
import { equalBytes } from "../../../lib/base/bytes.ts";
import {
  type GetUploadAnswer,
  GetUploadAnswerSchema,
  type GetUploadQuery,
} from "../../../lib/gen/dolium/metadata/v1/metadata_pb.ts";
import {
  CompletedUploadSchema,
  type Part,
  PartSchema,
} from "../../../lib/gen/dolium/record/v1/object_pb.ts";
import { completedKey, ID_BYTES, partKey } from "../keys.ts";
import { readRecord, type StateReader } from "../records.ts";
import { readParts, readUpload } from "../uploads.ts";
import { refuseSealed } from "./query-limits.ts";

/** Throws StoreError "sealed". */
export async function getUpload(
  reader: StateReader,
  query: GetUploadQuery,
): Promise<GetUploadAnswer> {
  const { bucketId, uploadId } = query;
  refuseSealed(reader, bucketId);
  if (uploadId.byteLength !== ID_BYTES) return create(GetUploadAnswerSchema);
  const upload = readUpload(reader, query);
  if (upload === undefined) {
    const key = completedKey(bucketId, uploadId);
    const completed = readRecord(reader, CompletedUploadSchema, key);
    const isOfKey = completed !== undefined && equalBytes(completed.key, query.key);
    return create(GetUploadAnswerSchema, isOfKey ? { completed } : {});
  }
  const parts = query.allParts ? await readParts(reader, query) : namedParts(reader, query);
  return create(GetUploadAnswerSchema, { upload, parts });
}

function namedParts(reader: StateReader, query: GetUploadQuery): Part[] {
  const numbers = [...new Set(query.partNumbers)].sort((a, b) => a - b);
  return numbers.flatMap((partNumber) => {
    const key = partKey(query.bucketId, query.uploadId, partNumber);
    const part = readRecord(reader, PartSchema, key);
    return part === undefined ? [] : [part];
  });
}
