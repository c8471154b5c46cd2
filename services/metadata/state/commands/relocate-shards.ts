// RelocateShards: moves shards of one chunk by compare-and-swap. The old places become garbage,
// limited to copies older than this relocation, because a later one may come back to them.
import { create } from "@bufbuild/protobuf";
import { equalBytes } from "../../../lib/base/bytes.ts";
import {
  Outcome,
  type RelocateShards,
  type Reply,
} from "../../../lib/gen/dolium/record/v1/command_pb.ts";
import {
  type Chunk,
  Garbage_ShardSchema,
  type Manifest,
  ManifestSchema,
  RepairEntrySchema,
} from "../../../lib/gen/dolium/record/v1/object_pb.ts";
import type { CommandContext } from "../context.ts";
import { manifestKey } from "../keys.ts";
import {
  addGarbage,
  beginningOf,
  owedShards,
  putRepair,
  readManifest,
  readRepair,
  removeRepair,
} from "../manifests.ts";
import { accepted, refused } from "../outcome.ts";
import { putRecord, type StateWriter } from "../records.ts";

export function relocateShards(
  view: StateWriter,
  command: RelocateShards,
  context: CommandContext,
): Reply {
  const { bucketId, manifestId, chunkId, begunMs } = command;
  if (begunMs < context.meta.fenceMs) {
    return refused(Outcome.FENCED, "the repair began before the fence: start again");
  }
  const manifest = readManifest(view, bucketId, manifestId);
  const chunk = manifest?.chunks.find((candidate) => equalBytes(candidate.chunkId, chunkId));
  if (manifest === undefined || chunk === undefined) {
    return refused(Outcome.NO_SUCH_KEY, "the chunk is gone");
  }
  if (begunMs <= chunk.relocatedMs || begunMs <= beginningOf(manifestId)) {
    return refused(Outcome.CONFLICT, "the repair began before the chunk was last written");
  }
  const moved = command.changes.find(
    ({ shardIndex, fromDiskId }) => chunk.diskIds[shardIndex] !== fromDiskId,
  );
  if (moved !== undefined) {
    return refused(Outcome.CONFLICT, `shard ${moved.shardIndex} is elsewhere`);
  }
  relocate(view, context, { command, manifest, chunk });
  return accepted();
}

function relocate(
  view: StateWriter,
  context: CommandContext,
  target: { readonly command: RelocateShards; readonly manifest: Manifest; readonly chunk: Chunk },
): void {
  const { command, manifest, chunk } = target;
  const { bucketId, manifestId, chunkId, begunMs, changes } = command;
  const owedBefore = owedShards(chunk);
  const left = changes.filter((change) => change.fromDiskId !== change.toDiskId);
  for (const { shardIndex, toDiskId } of changes) chunk.diskIds[shardIndex] = toDiskId;
  if (changes.length > 0) chunk.relocatedMs = begunMs;
  chunk.placementGroup = command.placementGroup;
  chunk.relaxed = command.relaxed;
  putRecord(view, ManifestSchema, { key: manifestKey(bucketId, manifestId), record: manifest });
  context.count("shardsOwed", owedShards(chunk) - owedBefore);
  addGarbage(view, context, {
    bucketId,
    key: manifest.key,
    manifestId,
    begunBeforeMs: begunMs,
    shards: left
      .filter(({ fromDiskId }) => fromDiskId !== 0)
      .map(({ shardIndex, fromDiskId: diskId }) =>
        create(Garbage_ShardSchema, { chunkId, shardIndex, diskId }),
      ),
  });
  const repaired = command.movesOnly ? undefined : changes.length;
  settleRepair(view, context, { bucketId, manifest, chunk, repaired });
}

/** Keeps the chunk in the repair queue while something is known to be missing. */
function settleRepair(
  view: StateWriter,
  context: CommandContext,
  done: {
    readonly bucketId: number;
    readonly manifest: Manifest;
    readonly chunk: Chunk;
    /** Shards written anew; undefined when good ones were only moved. */
    readonly repaired: number | undefined;
  },
): void {
  const { bucketId, manifest, chunk, repaired } = done;
  const { manifestId, key } = manifest;
  const { chunkId, relaxed } = chunk;
  const entry = readRepair(view, { bucketId, manifestId, chunkId });
  // Shards reported lost count beside those owed; a caller without changes found the chunk whole.
  const known = entry?.owed ?? 0;
  const reported = repaired === 0 ? 0 : Math.max(0, known - (repaired ?? 0));
  const owed = Math.max(owedShards(chunk), reported);
  const following = manifest.followPolicy !== "";
  if (owed === 0 && !relaxed && !following) {
    removeRepair(view, context, { bucketId, manifestId, chunkId });
    return;
  }
  const sinceMs = entry?.sinceMs ?? context.timeMs;
  const { parityShards } = manifest;
  const chunkOf = { bucketId, key, manifestId, chunkId };
  const record = { ...chunkOf, sinceMs, owed, relaxed, parityShards, following };
  putRepair(view, context, create(RepairEntrySchema, record));
}
