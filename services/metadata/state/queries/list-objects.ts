// ListObjects: current objects in byte order of their keys. Common prefixes are jumped over, never
// walked through, so a page costs what it shows and not what lies below it. Delete markers are
// passed over.
import { create } from "@bufbuild/protobuf";
import { compareBytes, copyBytes } from "../../../lib/base/bytes.ts";
import {
  type ListObjectsAnswer,
  ListObjectsAnswerSchema,
  type ListObjectsQuery,
} from "../../../lib/gen/dolium/metadata/v1/metadata_pb.ts";
import { bucketRange, headKey, type KeyRange, keyOfHead, prefixEnd, TABLE } from "../keys.ts";
import type { Cursor, FrozenState } from "../records.ts";
import { commonPrefix, startsWith } from "./delimited.ts";
import { PackedEntries, scanHead } from "./packed-entries.ts";
import { MESSAGE_BYTES, pageLimit, refuseSealed, SCANNED_MAX } from "./query-limits.ts";

/** Of a common prefix besides its text. */
const PREFIX_BYTES = 8;

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
  // Without a delimiter nothing is jumped over: what is read ahead is shown.
  const ahead = query.delimiter.byteLength === 0 ? pageLimit(query.limit) + 1 : undefined;
  const cursor = state.cursor(range, ahead);
  const entries = new PackedEntries();
  try {
    await fillPage({ cursor, query, answer, entries });
  } finally {
    await cursor.close();
  }
  if (query.packed) answer.packedEntries = entries.bytes();
  else answer.entries = entries.messages();
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

interface Page {
  readonly cursor: Cursor;
  readonly query: ListObjectsQuery;
  readonly answer: ListObjectsAnswer;
  readonly entries: PackedEntries;
}

async function fillPage({ cursor, query, answer, entries }: Page): Promise<void> {
  const limit = pageLimit(query.limit);
  let prefixBytes = 0;
  let scanned = 0;
  let last: Uint8Array = query.startAfter;
  for (;;) {
    const entry = await cursor.next();
    if (entry === undefined) return;
    const key = keyOfHead(entry[0]);
    const isFull = entries.count + answer.commonPrefixes.length >= limit;
    const head = scanHead(entry[1]);
    scanned += 1;
    // A page may end on a key that is not shown: the next one goes on after it.
    const isLong = entries.byteLength + prefixBytes > MESSAGE_BYTES;
    if (!head.isDeleteMarker && (isFull || isLong)) return truncate(answer, last);
    if (scanned > SCANNED_MAX) return truncate(answer, last);
    if (head.isDeleteMarker) {
      if (!isFull) last = key;
      continue;
    }
    const group = commonPrefix(key, query);
    if (group === undefined) {
      entries.add(key, entry[1], head);
      last = key;
      continue;
    }
    answer.commonPrefixes.push(copyBytes(group));
    prefixBytes += group.byteLength + PREFIX_BYTES;
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
