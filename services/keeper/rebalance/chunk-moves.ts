// Which shards of a chunk lie elsewhere than the present placement table wants them, and which of
// them can be moved now. Shards on any disk of the chunk's group are where they should be. What is
// owed or lost is left to repair.

import type { ClusterView } from "../../lib/clients/cluster-view.ts";
import { shardBytes } from "../../lib/erasure/geometry.ts";
import type { Chunk, Manifest } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import { shardMoves } from "../../lib/placement/placement-table.ts";
import { crowdedShards } from "../repair/crowded-shards.ts";
import { placesAfter, type ShardChange } from "../repair/write-shards.ts";

export interface ChunkMoves {
  /** Shards that lie elsewhere. */
  readonly misplaced: number;
  /** Those that can go where they should now. */
  readonly plan: readonly ShardChange[];
  readonly shardBytes: number;
}

export function chunkMoves(view: ClusterView, manifest: Manifest, chunk: Chunk): ChunkMoves {
  const { dataShards: k, parityShards: m, cellBytes, policy } = manifest;
  const bytes = shardBytes(chunk.size, { k, m, cellBytes });
  const nothing = { misplaced: 0, plan: [], shardBytes: bytes };
  // A policy that is not there any more, or has other numbers, says nothing of old chunks.
  if (view.hasPolicy(policy) !== true) return nothing;
  const group = view.groupDisks(policy, chunk.placementGroup);
  if (group?.length !== chunk.diskIds.length) return nothing;
  const outside = shardMoves(chunk.diskIds, group).flatMap(({ shardIndex, toDiskId }) => {
    const fromDiskId = chunk.diskIds[shardIndex] ?? 0;
    const isLost = fromDiskId === 0 || view.addressOf(fromDiskId) === undefined;
    return isLost ? [] : [{ shardIndex, fromDiskId, toDiskId }];
  });
  const plan = outside.filter(({ toDiskId }) => view.writable(toDiskId));
  const crowded = (places: readonly number[]): number => crowdedShards(view, policy, places).length;
  // With some targets away, the rest might come to stand too close.
  const isWorse = crowded(placesAfter(chunk, plan)) > crowded(chunk.diskIds);
  return { misplaced: outside.length, plan: isWorse ? [] : plan, shardBytes: bytes };
}
