// Puts chunks on a group's repair queue. The queue is replicated: a keeper that dies loses nothing,
// and its length tells the truth. Chunks that the group does not own are ignored there.
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { RepairEntrySchema } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import type { KeeperDeps } from "../deps.ts";

export type DamageEntry = MessageInitShape<typeof RepairEntrySchema>;

/** Returns how many were sent. */
export async function enqueue(
  deps: KeeperDeps,
  groupId: number,
  entries: readonly DamageEntry[],
): Promise<number> {
  if (entries.length === 0) return 0;
  await deps.metadata.execute(groupId, {
    case: "enqueueRepairs",
    value: { entries: [...entries] },
  });
  return entries.length;
}
