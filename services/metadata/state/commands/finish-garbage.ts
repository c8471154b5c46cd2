// FinishGarbage: takes garbage whose shards are deleted off the queue; shards on disks that could
// not be reached stay. Records that are gone already are skipped.

import type { FinishGarbage, Reply } from "../../../lib/gen/dolium/record/v1/command_pb.ts";
import { GarbageIndexSchema } from "../../../lib/gen/dolium/record/v1/group_pb.ts";
import { type Garbage, GarbageSchema } from "../../../lib/gen/dolium/record/v1/object_pb.ts";
import type { CommandContext } from "../context.ts";
import { garbageIndexKey, garbageKey } from "../keys.ts";
import { accepted } from "../outcome.ts";
import { putRecord, readRecord, type StateWriter } from "../records.ts";

export function finishGarbage(
  view: StateWriter,
  command: FinishGarbage,
  context: CommandContext,
): Reply {
  for (const { sequence, remainingDiskIds } of command.done) {
    const key = garbageKey(sequence);
    const garbage = readRecord(view, GarbageSchema, key);
    if (garbage === undefined) continue;
    const remaining = new Set(remainingDiskIds);
    const shards = garbage.shards.filter(({ diskId }) => remaining.has(diskId));
    if (shards.length > 0) {
      putRecord(view, GarbageSchema, { key, record: { ...garbage, shards } });
      continue;
    }
    view.delete(key);
    context.count("garbageEntries", -1);
    dropFromIndex(view, garbage);
  }
  return accepted();
}

function dropFromIndex(view: StateWriter, garbage: Garbage): void {
  const key = garbageIndexKey(garbage.bucketId, garbage.manifestId);
  const index = readRecord(view, GarbageIndexSchema, key);
  const sequences = (index?.sequences ?? []).filter((sequence) => sequence !== garbage.sequence);
  if (index === undefined || sequences.length === 0) view.delete(key);
  else putRecord(view, GarbageIndexSchema, { key, record: { ...index, sequences } });
}
