// How far one store is: index, term, membership and digest, written with every batch.
import { create, toBinary } from "@bufbuild/protobuf";
import { type ReplicaMark, ReplicaMarkSchema } from "../../lib/gen/dolium/record/v1/group_pb.ts";
import type { Kv, KvOperation } from "../../lib/ports/kv.ts";
import { decodeChecked, encodeChecked } from "./checked-value.ts";
import { MARK_KEY } from "./keys.ts";
import { decodeRecord, type StateReader } from "./records.ts";

/** The mark of a store; an empty store has none yet. Throws "corrupt". */
export function readMark(kv: Kv): ReplicaMark {
  const stored = kv.get(MARK_KEY);
  return markFrom(stored === undefined ? undefined : decodeChecked(MARK_KEY, stored));
}

/** The mark as of a frozen state. */
export function frozenMark(view: StateReader): ReplicaMark {
  return markFrom(view.get(MARK_KEY));
}

function markFrom(payload: Uint8Array | undefined): ReplicaMark {
  if (payload === undefined) return create(ReplicaMarkSchema);
  return decodeRecord(ReplicaMarkSchema, payload);
}

export function markOperation(mark: ReplicaMark): KvOperation {
  const value = encodeChecked(MARK_KEY, toBinary(ReplicaMarkSchema, mark));
  return { type: "put", key: MARK_KEY, value };
}
