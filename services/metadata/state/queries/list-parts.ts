// ListParts: parts of an upload in order of their numbers, in pages.
import { create } from "@bufbuild/protobuf";
import {
  type ListPartsAnswer,
  ListPartsAnswerSchema,
  type ListPartsQuery,
} from "../../../lib/gen/dolium/metadata/v1/metadata_pb.ts";
import { PartSchema } from "../../../lib/gen/dolium/record/v1/object_pb.ts";
import { ID_BYTES, partKey, partPrefix, prefixRange } from "../keys.ts";
import { decodeRecord, type StateReader } from "../records.ts";
import { readUpload } from "../uploads.ts";
import { refuseSealed } from "./query-limits.ts";

const PARTS_MAX = 1000;

/** Throws StoreError "sealed". */
export async function listParts(
  reader: StateReader,
  query: ListPartsQuery,
): Promise<ListPartsAnswer> {
  const { bucketId, uploadId, afterPartNumber } = query;
  refuseSealed(reader, bucketId);
  if (uploadId.byteLength !== ID_BYTES) return create(ListPartsAnswerSchema);
  const upload = readUpload(reader, query);
  if (upload === undefined) return create(ListPartsAnswerSchema);
  const limit = Math.min(query.limit, PARTS_MAX);
  const all = prefixRange(partPrefix(bucketId, uploadId));
  const isPast = afterPartNumber >= 0xffff_ffff;
  if (limit === 0 || isPast) return create(ListPartsAnswerSchema, { upload });
  const range = { ...all, from: partKey(bucketId, uploadId, afterPartNumber + 1) };
  const entries = await reader.scan(range, limit + 1);
  const parts = entries.slice(0, limit).map(([, payload]) => decodeRecord(PartSchema, payload));
  return create(ListPartsAnswerSchema, { upload, parts, truncated: entries.length > limit });
}
