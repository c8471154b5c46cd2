// ListGarbage: freed shards in the order in which they were freed.
import { create } from "@bufbuild/protobuf";
import {
  type ListGarbageAnswer,
  ListGarbageAnswerSchema,
  type ListGarbageQuery,
} from "../../../lib/gen/dolium/metadata/v1/metadata_pb.ts";
import { GarbageSchema } from "../../../lib/gen/dolium/record/v1/object_pb.ts";
import { garbageKey, TABLE, tableRange } from "../keys.ts";
import { decodeRecord, type FrozenState } from "../records.ts";
import { MESSAGE_BYTES, pageLimit } from "./query-limits.ts";

const SEQUENCE_MAX = 0xffff_ffff_ffff_ffffn;

export async function listGarbage(
  state: FrozenState,
  query: ListGarbageQuery,
): Promise<ListGarbageAnswer> {
  const answer = create(ListGarbageAnswerSchema);
  const { afterSequence, freedBeforeMs } = query;
  const limit = pageLimit(query.limit);
  if (afterSequence >= SEQUENCE_MAX) return answer;
  const range = { ...tableRange(TABLE.garbage), from: garbageKey(afterSequence + 1n) };
  const cursor = state.cursor(range);
  try {
    let bytes = 0;
    while (answer.entries.length < limit && bytes < MESSAGE_BYTES) {
      const entry = await cursor.next();
      if (entry === undefined) break;
      const garbage = decodeRecord(GarbageSchema, entry[1]);
      if (garbage.freedMs >= freedBeforeMs) break;
      answer.entries.push(garbage);
      bytes += entry[1].byteLength;
    }
  } finally {
    await cursor.close();
  }
  return answer;
}
