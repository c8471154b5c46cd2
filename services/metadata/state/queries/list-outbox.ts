// ListOutbox: what is to be carried out, in the order in which it was committed.
import { create } from "@bufbuild/protobuf";
import {
  type ListOutboxAnswer,
  ListOutboxAnswerSchema,
  type ListOutboxQuery,
} from "../../../lib/gen/dolium/metadata/v1/metadata_pb.ts";
import { OutboxEntrySchema } from "../../../lib/gen/dolium/record/v1/group_pb.ts";
import { outboxKey, SEQUENCE_MAX, TABLE, tableRange } from "../keys.ts";
import { decodeRecord, type FrozenState } from "../records.ts";
import { MESSAGE_BYTES, pageLimit } from "./query-limits.ts";

export async function listOutbox(
  state: FrozenState,
  query: ListOutboxQuery,
): Promise<ListOutboxAnswer> {
  const answer = create(ListOutboxAnswerSchema);
  const { afterSequence } = query;
  const limit = pageLimit(query.limit);
  if (afterSequence >= SEQUENCE_MAX) return answer;
  const cursor = state.cursor({
    ...tableRange(TABLE.outbox),
    from: outboxKey(afterSequence + 1n),
  });
  try {
    let bytes = 0;
    while (answer.entries.length < limit && bytes < MESSAGE_BYTES) {
      const entry = await cursor.next();
      if (entry === undefined) break;
      answer.entries.push(decodeRecord(OutboxEntrySchema, entry[1]));
      bytes += entry[1].byteLength;
    }
  } finally {
    await cursor.close();
  }
  return answer;
}
