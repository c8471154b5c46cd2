// ListUploads: uploads in progress in order of key, then of upload id. For the cleaner of stale
// uploads it also walks all buckets of the group, sealed ones too; the key marker is then the
// bucket id (4 bytes, big-endian) and the key.
import { create } from "@bufbuild/protobuf";
import { compareBytes, copyBytes } from "../../../lib/base/bytes.ts";
import { StoreError } from "../../../lib/base/errors.ts";
import {
  type ListUploadsAnswer,
  ListUploadsAnswerSchema,
  type ListUploadsQuery,
} from "../../../lib/gen/dolium/metadata/v1/metadata_pb.ts";
import { UploadSchema } from "../../../lib/gen/dolium/record/v1/object_pb.ts";
import {
  ID_BYTES,
  type KeyRange,
  parseUploadKey,
  prefixEnd,
  prefixRange,
  TABLE,
  tableRange,
  type UploadPlace,
  uploadKey,
  uploadPrefix,
  uploadsAfterKey,
} from "../keys.ts";
import { type Cursor, decodeRecord, type FrozenState } from "../records.ts";
import { commonPrefix, startsWith } from "./delimited.ts";
import { MESSAGE_BYTES, pageLimit, refuseSealed, SCANNED_MAX } from "./query-limits.ts";

/** Throws StoreError "sealed" or "invalid". */
export async function listUploads(
  state: FrozenState,
  query: ListUploadsQuery,
): Promise<ListUploadsAnswer> {
  if (query.bucketId === 0 && query.untouchedSinceMs === undefined) {
    throw new StoreError("invalid", "listing uploads of all buckets needs untouched_since_ms");
  }
  if (query.bucketId !== 0) refuseSealed(state, query.bucketId);
  const answer = create(ListUploadsAnswerSchema);
  const range = query.limit === 0 ? undefined : rangeOf(query);
  if (range === undefined) return answer;
  const cursor = state.cursor(range);
  try {
    await fillPage(cursor, query, answer);
  } finally {
    await cursor.close();
  }
  return answer;
}

function rangeOf(query: ListUploadsQuery): KeyRange | undefined {
  const { bucketId, prefix, keyMarker } = query;
  const whole =
    bucketId === 0 ? tableRange(TABLE.upload) : prefixRange(uploadPrefix(bucketId, prefix));
  if (keyMarker.byteLength === 0) return whole;
  const after = bucketId === 0 ? afterOpaque(query) : afterMarker(query);
  if (after === undefined) return undefined;
  if (compareBytes(after, whole.from) <= 0) return whole;
  if (whole.to !== undefined && compareBytes(after, whole.to) >= 0) return undefined;
  return { ...whole, from: after };
}

function afterOpaque(query: ListUploadsQuery): Uint8Array {
  const { keyMarker, uploadIdMarker } = query;
  if (keyMarker.byteLength < 4) throw new StoreError("invalid", "a key marker we did not give");
  const bucketId = Buffer.from(keyMarker).readUInt32BE(0);
  return afterUpload(bucketId, keyMarker.subarray(4), uploadIdMarker);
}

function afterMarker(query: ListUploadsQuery): Uint8Array | undefined {
  const { bucketId, prefix, keyMarker, uploadIdMarker } = query;
  const group = startsWith(keyMarker, prefix) ? commonPrefix(keyMarker, query) : undefined;
  if (group !== undefined) return prefixEnd(uploadPrefix(bucketId, group));
  return afterUpload(bucketId, keyMarker, uploadIdMarker);
}

/** The first place after that upload; without an id, after all uploads of the key. */
function afterUpload(bucketId: number, key: Uint8Array, uploadId: Uint8Array): Uint8Array {
  if (uploadId.byteLength !== ID_BYTES) return uploadsAfterKey(bucketId, key);
  return Buffer.concat([uploadKey(bucketId, key, uploadId), Uint8Array.of(0)]);
}

async function fillPage(
  cursor: Cursor,
  query: ListUploadsQuery,
  answer: ListUploadsAnswer,
): Promise<void> {
  const limit = pageLimit(query.limit);
  const { untouchedSinceMs } = query;
  let bytes = 0;
  let scanned = 0;
  let last: UploadPlace | undefined;
  for (;;) {
    const entry = await cursor.next();
    if (entry === undefined) return;
    const place = parseUploadKey(entry[0]);
    scanned += 1;
    const isFull = answer.uploads.length + answer.commonPrefixes.length >= limit;
    if (isFull || bytes > MESSAGE_BYTES || scanned > SCANNED_MAX) {
      return truncate(answer, query, last);
    }
    const group = query.bucketId === 0 ? undefined : commonPrefix(place.key, query);
    if (group === undefined) {
      last = place;
      const upload = decodeRecord(UploadSchema, entry[1]);
      if (untouchedSinceMs !== undefined && upload.touchedMs > untouchedSinceMs) continue;
      answer.uploads.push(upload);
      bytes += entry[0].byteLength + entry[1].byteLength;
      continue;
    }
    answer.commonPrefixes.push(copyBytes(group));
    bytes += group.byteLength + 8;
    last = { bucketId: place.bucketId, key: copyBytes(group), uploadId: new Uint8Array(0) };
    const next = prefixEnd(uploadPrefix(query.bucketId, group));
    if (next === undefined) return;
    cursor.seek(next);
  }
}

function truncate(
  answer: ListUploadsAnswer,
  query: ListUploadsQuery,
  last: UploadPlace | undefined,
): void {
  answer.truncated = true;
  if (last === undefined) return;
  answer.nextUploadIdMarker = copyBytes(last.uploadId);
  answer.nextKeyMarker = query.bucketId === 0 ? opaqueMarker(last) : last.key;
}

function opaqueMarker({ bucketId, key }: UploadPlace): Uint8Array {
  const marker = Buffer.alloc(4 + key.byteLength);
  marker.writeUInt32BE(bucketId, 0);
  marker.set(key, 4);
  return marker;
}
