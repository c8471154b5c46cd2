// SetGarbageFreeze: from the commit on keepers delete neither garbage nor orphans, or do so again.
// What stands keeps its reason and time.
import { create } from "@bufbuild/protobuf";
import { GarbageFreezeSchema } from "../../../lib/gen/dolium/record/v1/cluster_pb.ts";
import {
  Outcome,
  type Reply,
  type SetGarbageFreeze,
} from "../../../lib/gen/dolium/record/v1/command_pb.ts";
import { putNextMap, readClusterMap } from "../cluster-record.ts";
import type { CommandContext } from "../context.ts";
import { accepted, refused } from "../outcome.ts";
import type { StateWriter } from "../records.ts";

export function setGarbageFreeze(
  view: StateWriter,
  { frozen, reason }: SetGarbageFreeze,
  context: CommandContext,
): Reply {
  const map = readClusterMap(view);
  if (map === undefined) return refused(Outcome.CONFLICT, "the cluster is not initialised yet");
  if (frozen === (map.garbageFreeze !== undefined)) return accepted();
  if (frozen) {
    map.garbageFreeze = create(GarbageFreezeSchema, { reason, sinceMs: context.timeMs });
  } else {
    delete map.garbageFreeze;
  }
  putNextMap(view, map);
  return accepted();
}
