// ListObjects: current objects in byte order of their keys. Common prefixes are jumped over, never
// walked through, so a page costs what it shows and not what lies below it. Delete markers are
// passed over.
import { create } from "@bufbuild/protobuf";
import { compareBytes, copyBytes } from "../../../lib/base/bytes.ts";
import {
  type ListObjectsAnswer,
  type ListObjectsAnswer_Entry,
  ListObjectsAnswer_EntrySchema,
  ListObjectsAnswerSchema,
  type ListObjectsQuery,
} from "../../../lib/gen/dolium/metadata/v1/metadata_pb.ts";
import { type Version, VersionSchema } from "../../../lib/gen/dolium/record/v1/object_pb.ts";
import { bucketRange, headKey, type KeyRange, keyOfHead, prefixEnd, TABLE } from "../keys.ts";
import { type Cursor, decodeRecord, type FrozenState } from "../records.ts";
import { bareVersion } from "./bare-version.ts";
import { commonPrefix, startsWith } from "./delimited.ts";
import { MESSAGE_BYTES, pageLimit, refuseSealed, SCANNED_MAX } from "./query-limits.ts";

/** Bytes of an entry besides its key and the texts in it, generously. */
const ENTRY_BYTES = 160;

/** Throws StoreError "sealed". */
export async function listObjects(
  state: FrozenState,
  query: ListObjectsQuery,
): Promise<ListObjectsAnswer> {
  refuseSealed(state, query.bucketId);
  const answer = create(ListObjectsAnswerSchema);
  if (query.limit === 0) return answer;
  const range = rangeOf(query);
  if (range === undefined) return answer;
  const cursor = state.cursor(range);
  try {
    await fillPage(cursor, query, answer);
  } finally {
    await cursor.close();
  }
  return answer;
}

/** Heads that can be on this page; undefined when none can. */
function rangeOf(query: ListObjectsQuery): KeyRange | undefined {
  const { bucketId, prefix, startAfter } = query;
  const prefixed = prefixEnd(headKey(bucketId, prefix));
  const { to } = prefixed === undefined ? bucketRange(TABLE.head, bucketId) : { to: prefixed };
  let from = headKey(bucketId, prefix);
  if (startAfter.byteLength > 0) {
    const after = startKey(query);
    if (after === undefined) return undefined;
    if (compareBytes(after, from) > 0) from = after;
  }
  if (to === undefined) return { from };
  return compareBytes(from, to) < 0 ? { from, to } : undefined;
}

/** The first head after `startAfter`, and after the common prefix it stands for or lies in. */
function startKey(query: ListObjectsQuery): Uint8Array | undefined {
  const { bucketId, prefix, startAfter } = query;
  const group = startsWith(startAfter, prefix) ? commonPrefix(startAfter, query) : undefined;
  if (group !== undefined) return prefixEnd(headKey(bucketId, group));
  return headKey(bucketId, Buffer.concat([startAfter, Uint8Array.of(0)]));
}

async function fillPage(
  cursor: Cursor,
  query: ListObjectsQuery,
  answer: ListObjectsAnswer,
): Promise<void> {
  const limit = pageLimit(query.limit);
  let bytes = 0;
  let scanned = 0;
  let last: Uint8Array = query.startAfter;
  for (;;) {
    const entry = await cursor.next();
    if (entry === undefined) return;
    const key = keyOfHead(entry[0]);
    const isFull = answer.entries.length + answer.commonPrefixes.length >= limit;
    const version = decodeRecord(VersionSchema, entry[1]);
    scanned += 1;
    // A page may end on a key that is not shown: the next one goes on after it.
    if (!version.deleteMarker && (isFull || bytes > MESSAGE_BYTES)) return truncate(answer, last);
    if (scanned > SCANNED_MAX) return truncate(answer, last);
    if (version.deleteMarker) {
      if (!isFull) last = key;
      continue;
    }
    const group = commonPrefix(key, query);
    if (group === undefined) {
      answer.entries.push(entryOf(key, version));
      bytes += key.byteLength + ENTRY_BYTES + version.owner.length;
      last = key;
      continue;
    }
    answer.commonPrefixes.push(copyBytes(group));
    bytes += group.byteLength + 8;
    last = group;
    const next = prefixEnd(headKey(query.bucketId, group));
    if (next === undefined) return;
    cursor.seek(next);
  }
}

function truncate(answer: ListObjectsAnswer, last: Uint8Array): void {
  answer.truncated = true;
  answer.nextStartAfter = copyBytes(last);
}

function entryOf(key: Uint8Array, version: Version): ListObjectsAnswer_Entry {
  const shown = { key: copyBytes(key), version: bareVersion(version) };
  return create(ListObjectsAnswer_EntrySchema, shown);
}
