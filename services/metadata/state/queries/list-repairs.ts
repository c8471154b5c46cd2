// ListRepairs: the repair queue in order of bucket, manifest and chunk. The cursor is the last key
// shown.
import { create } from "@bufbuild/protobuf";
import {
  type ListRepairsAnswer,
  ListRepairsAnswerSchema,
  type ListRepairsQuery,
} from "../../../lib/gen/dolium/metadata/v1/metadata_pb.ts";
import { RepairEntrySchema } from "../../../lib/gen/dolium/record/v1/object_pb.ts";
import { TABLE } from "../keys.ts";
import { decodeRecord, type FrozenState } from "../records.ts";
import { rangeAfter } from "./cursor-range.ts";
import { MESSAGE_BYTES, pageLimit } from "./query-limits.ts";

/** Throws StoreError "invalid" for a cursor of another query. */
export async function listRepairs(
  state: FrozenState,
  query: ListRepairsQuery,
): Promise<ListRepairsAnswer> {
  const answer = create(ListRepairsAnswerSchema);
  const cursor = state.cursor(rangeAfter(TABLE.repair, query.cursor));
  const limit = pageLimit(query.limit);
  try {
    let bytes = 0;
    let last: Uint8Array = query.cursor;
    for (;;) {
      const entry = await cursor.next();
      if (entry === undefined) break;
      if (answer.entries.length >= limit || bytes > MESSAGE_BYTES) {
        answer.nextCursor = last;
        break;
      }
      answer.entries.push(decodeRecord(RepairEntrySchema, entry[1]));
      bytes += entry[1].byteLength;
      last = entry[0];
    }
  } finally {
    await cursor.close();
  }
  return answer;
}
