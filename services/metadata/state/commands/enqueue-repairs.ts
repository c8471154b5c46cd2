// EnqueueRepairs: puts chunks that were found damaged on the repair queue. Chunks that this group
// does not own (any more) are ignored.
import { create } from "@bufbuild/protobuf";
import { equalBytes } from "../../../lib/base/bytes.ts";
import type { EnqueueRepairs, Reply } from "../../../lib/gen/dolium/record/v1/command_pb.ts";
import { RepairEntrySchema } from "../../../lib/gen/dolium/record/v1/object_pb.ts";
import type { CommandContext } from "../context.ts";
import { owedShards, putRepair, readManifest, readRepair } from "../manifests.ts";
import { accepted } from "../outcome.ts";
import type { StateWriter } from "../records.ts";

export function enqueueRepairs(
  view: StateWriter,
  command: EnqueueRepairs,
  context: CommandContext,
): Reply {
  for (const wanted of command.entries) {
    const { bucketId, manifestId, chunkId } = wanted;
    const manifest = readManifest(view, bucketId, manifestId);
    const chunk = manifest?.chunks.find((candidate) => equalBytes(candidate.chunkId, chunkId));
    if (manifest === undefined || chunk === undefined) continue;
    const queued = readRepair(view, wanted);
    const owed = Math.max(wanted.owed, queued?.owed ?? 0, owedShards(chunk));
    const entry = create(RepairEntrySchema, {
      bucketId,
      key: manifest.key,
      manifestId,
      chunkId,
      sinceMs: queued?.sinceMs ?? context.timeMs,
      owed,
      relaxed: chunk.relaxed,
      parityShards: manifest.parityShards,
      following: manifest.followPolicy !== "",
    });
    putRepair(view, context, entry);
  }
  return accepted();
}
