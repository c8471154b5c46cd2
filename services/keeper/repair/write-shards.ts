// Writes shards of a chunk to new places and commits that they lie there. Nothing is committed that
// was not read back whole by the disk it was written to; the change is a compare-and-swap, and the
// former places become garbage with it.
import { mapBounded } from "../../lib/base/bounded.ts";
import { rebuildShards } from "../../lib/clients/chunk-rebuild.ts";
import type { DiskAddress } from "../../lib/clients/shard-client.ts";
import type { Reply } from "../../lib/gen/dolium/record/v1/command_pb.ts";
import type { Chunk, Manifest } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import { StatShardsResponse_State as ShardState } from "../../lib/gen/dolium/storage/v1/storage_pb.ts";
import type { KeeperDeps } from "../deps.ts";
import { crowdedShards } from "./crowded-shards.ts";

export interface ShardChange {
  readonly shardIndex: number;
  readonly fromDiskId: number;
  readonly toDiskId: number;
}

export interface ChunkOfManifest {
  readonly groupId: number;
  readonly bucketId: number;
  readonly manifest: Manifest;
  readonly chunk: Chunk;
}

export interface ShardCopying {
  readonly place: ChunkOfManifest;
  /** k+m entries: where each shard can be read. */
  readonly sources: readonly (DiskAddress | undefined)[];
  readonly plan: readonly ShardChange[];
  /** By this machine's clock, milliseconds since 1970. */
  readonly begunMs: number;
  readonly pace: (bytes: number) => Promise<void>;
  readonly signal: AbortSignal;
}

const VERIFY_WIDTH = 4;

/**
 * Copies, or rebuilds where a source does not answer, the shards of the plan. Returns the changes
 * whose shards are durable and were read back whole. Throws what `rebuildShards` throws.
 */
export async function writeShards(
  deps: KeeperDeps,
  copying: ShardCopying,
): Promise<readonly ShardChange[]> {
  const { place, plan, sources, begunMs, pace, signal } = copying;
  const { bucketId, manifest, chunk } = place;
  const wanted = plan.flatMap(({ shardIndex, toDiskId }) => {
    const target = deps.view.addressOf(toDiskId);
    return target === undefined ? [] : [{ shardIndex, target }];
  });
  if (wanted.length === 0) return [];
  const rebuilt = await rebuildShards(deps, {
    ...{ bucketId, manifest, chunk, sources, wanted, begunMs, pace, signal },
    preferred: (disk) => deps.view.preferred(disk),
    onBadShard: (_index, disk, error) => {
      if (error.code === "unavailable") deps.view.suspect(disk.nodeId);
    },
  });
  const written = wanted.filter(({ shardIndex }) => rebuilt.includes(shardIndex));
  const whole = await mapBounded(written, VERIFY_WIDTH, async ({ shardIndex, target }) => {
    const name = { chunkId: chunk.chunkId, shardIndex };
    try {
      const [state] = await deps.shards.stat(target, [name], { verify: true, signal });
      if (state === ShardState.PRESENT) return shardIndex;
      deps.log.warn("a shard just written is not whole", { diskId: target.diskId, state });
    } catch (error) {
      // It stays where it was; the copy is an orphan, or is written again.
      deps.log.warn("a shard just written cannot be read back", {
        diskId: target.diskId,
        reason: String(error),
      });
    }
    return -1;
  });
  return plan.filter(({ shardIndex }) => whole.includes(shardIndex));
}

/** Commits the changes; `movesOnly`: the shards were good where they were. */
export async function commitChanges(
  deps: KeeperDeps,
  done: {
    readonly place: ChunkOfManifest;
    readonly changes: readonly ShardChange[];
    readonly begunMs: number;
    readonly movesOnly: boolean;
  },
): Promise<{ readonly reply: Reply; readonly relaxed: boolean }> {
  const { place, begunMs, movesOnly } = done;
  const { manifest, chunk, bucketId, groupId } = place;
  const after = placesAfter(chunk, done.changes);
  const relaxed = crowdedShards(deps.view, manifest.policy, after).length > 0;
  const { manifestId, key } = manifest;
  const { chunkId, placementGroup } = chunk;
  const reply = await deps.metadata.execute(groupId, {
    case: "relocateShards",
    value: {
      ...{ bucketId, key, manifestId, chunkId, placementGroup, relaxed, movesOnly },
      changes: [...done.changes],
      begunMs: BigInt(begunMs),
    },
  });
  return { reply, relaxed };
}

/** The disk of each shard once the changes are made. */
export function placesAfter(chunk: Chunk, changes: readonly ShardChange[]): number[] {
  const after = [...chunk.diskIds];
  for (const { shardIndex, toDiskId } of changes) after[shardIndex] = toDiskId;
  return after;
}
