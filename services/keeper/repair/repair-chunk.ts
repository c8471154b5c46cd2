// Makes one chunk whole: finds which of its shards are owed, gone or wrong, rebuilds them from the
// others on disks that suit the policy, and commits the new places by compare-and-swap. Also moves
// shards of a relaxed chunk apart once there are nodes enough. A node that is merely away keeps its
// shards.
import { present } from "../../lib/base/assert.ts";
import { rebuildShards } from "../../lib/clients/chunk-rebuild.ts";
import type { DiskAddress } from "../../lib/clients/shard-client.ts";
import { Outcome } from "../../lib/gen/dolium/record/v1/command_pb.ts";
import type { Chunk, Manifest } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import { StatShardsResponse_State as ShardState } from "../../lib/gen/dolium/storage/v1/storage_pb.ts";
import type { KeeperDeps } from "../deps.ts";
import { crowdedShards } from "./crowded-shards.ts";

export interface DamagedChunk {
  readonly groupId: number;
  readonly bucketId: number;
  readonly key: Uint8Array;
  readonly manifestId: Uint8Array;
  readonly chunkId: Uint8Array;
}

export type RepairResult =
  /** Whole as its policy wants it, or gone. */
  | { readonly kind: "done"; readonly rebuiltCount: number }
  /** Not now: too few disks or shards answer. */
  | { readonly kind: "later"; readonly reason: string };

interface Change {
  readonly shardIndex: number;
  readonly fromDiskId: number;
  readonly toDiskId: number;
}

interface Diagnosis {
  /** Where each shard can be read. */
  readonly sources: (DiskAddress | undefined)[];
  /** Shards that must be written anew. */
  readonly lost: number[];
  /** Shards that are wrong on a disk that works: they go back to the same disk. */
  readonly rewritten: Map<number, DiskAddress>;
  /** Nodes that are away for now. */
  readonly away: number;
}

/** Throws StoreError when metadata or too many storage nodes do not answer. */
export async function repairChunk(
  deps: KeeperDeps,
  damaged: DamagedChunk,
  signal: AbortSignal,
): Promise<RepairResult> {
  const begunMs = deps.clock.wallMs();
  const found = await findChunk(deps, damaged);
  if (found === undefined) return { kind: "done", rebuiltCount: 0 };
  const diagnosis = await diagnose(deps, found.chunk, signal);
  const plan = planOf(deps, found, diagnosis);
  if (plan.length === 0 && diagnosis.lost.length > 0) {
    return { kind: "later", reason: "no disk is free for the missing shards" };
  }
  if (plan.length === 0 && diagnosis.away > 0) {
    return { kind: "later", reason: `${diagnosis.away} shards cannot be asked about now` };
  }
  const rebuilt =
    plan.length === 0
      ? []
      : await rebuildShards(deps, {
          bucketId: damaged.bucketId,
          manifest: found.manifest,
          chunk: found.chunk,
          sources: diagnosis.sources,
          wanted: plan.map(({ shardIndex, toDiskId }) => ({
            shardIndex,
            target: present(deps.view.addressOf(toDiskId), "repair target"),
          })),
          begunMs,
          signal,
        });
  return commit(deps, { damaged, begunMs, plan, rebuilt, diagnosis, ...found });
}

async function findChunk(
  deps: KeeperDeps,
  damaged: DamagedChunk,
): Promise<{ readonly manifest: Manifest; readonly chunk: Chunk } | undefined> {
  const { bucketId, key, manifestId } = damaged;
  const value = { bucketId, key, manifestIds: [manifestId] };
  const answer = await deps.metadata.query(damaged.groupId, { case: "getManifest", value });
  const manifest = answer.manifests[0];
  const chunk = manifest?.chunks.find(
    (candidate) => Buffer.compare(candidate.chunkId, damaged.chunkId) === 0,
  );
  return manifest === undefined || chunk === undefined ? undefined : { manifest, chunk };
}

/** Asks every disk of the chunk to read and check its shard. */
async function diagnose(deps: KeeperDeps, chunk: Chunk, signal: AbortSignal): Promise<Diagnosis> {
  const diagnosis: Diagnosis = { sources: [], lost: [], rewritten: new Map(), away: 0 };
  const states = await Promise.all(
    chunk.diskIds.map((diskId, shardIndex) => shardState(deps, chunk, shardIndex, diskId, signal)),
  );
  let away = 0;
  states.forEach((state, shardIndex) => {
    const disk = deps.view.addressOf(chunk.diskIds[shardIndex] ?? 0);
    diagnosis.sources.push(state === "good" ? disk : undefined);
    if (state === "away") away += 1;
    if (state !== "lost" && state !== "wrong") return;
    diagnosis.lost.push(shardIndex);
    if (state === "wrong" && disk !== undefined && deps.view.writable(disk.diskId)) {
      diagnosis.rewritten.set(shardIndex, disk);
    }
  });
  return { ...diagnosis, away };
}

async function shardState(
  deps: KeeperDeps,
  chunk: Chunk,
  shardIndex: number,
  diskId: number,
  signal: AbortSignal,
): Promise<"good" | "lost" | "wrong" | "away"> {
  const disk = deps.view.addressOf(diskId);
  if (diskId === 0 || disk === undefined) return "lost";
  const name = { chunkId: chunk.chunkId, shardIndex };
  try {
    const [state] = await deps.shards.stat(disk, [name], { verify: true, signal });
    if (state === ShardState.PRESENT) return "good";
    return state === ShardState.MISSING || state === ShardState.CORRUPT ? "wrong" : "away";
  } catch (error) {
    deps.log.debug("disk does not answer", { diskId, reason: String(error) });
    return "away";
  }
}

/** What to write where: lost shards first; of a relaxed chunk also those that stand too close. */
function planOf(
  deps: KeeperDeps,
  found: { readonly manifest: Manifest; readonly chunk: Chunk },
  diagnosis: Diagnosis,
): Change[] {
  const { manifest, chunk } = found;
  const leaving = chunk.diskIds.flatMap((diskId, index) =>
    isLeaving(deps, diskId) && diagnosis.sources[index] !== undefined ? [index] : [],
  );
  const crowded = crowdedShards(deps.view, manifest.policy, chunk.diskIds).filter(
    (shardIndex) => diagnosis.sources[shardIndex] !== undefined,
  );
  const moved = new Set([...diagnosis.lost, ...leaving, ...crowded]);
  const plan: Change[] = [];
  const held = chunk.diskIds.filter((diskId, index) => diskId !== 0 && !moved.has(index));
  for (const shardIndex of moved) {
    const same = diagnosis.rewritten.get(shardIndex);
    const wish = { chunkId: chunk.chunkId, held, count: 1 };
    const target = same ?? deps.view.replacements(manifest.policy, wish)[0];
    if (target === undefined) continue;
    const fromDiskId = chunk.diskIds[shardIndex] ?? 0;
    const stays = target.diskId === fromDiskId && same === undefined;
    held.push(target.diskId);
    if (!stays) plan.push({ shardIndex, fromDiskId, toDiskId: target.diskId });
  }
  return withoutUselessMoves(deps, found, plan, new Set([...diagnosis.lost, ...leaving]));
}

/** Its node is being emptied. */
function isLeaving(deps: KeeperDeps, diskId: number): boolean {
  return deps.view
    .map()
    .nodes.some(
      (node) => node.state === "draining" && node.disks.some((disk) => disk.diskId === diskId),
    );
}

/** A crowded shard moves only to a place that is better, else it would wander for ever. */
function withoutUselessMoves(
  deps: KeeperDeps,
  found: { readonly manifest: Manifest; readonly chunk: Chunk },
  plan: readonly Change[],
  owed: ReadonlySet<number>,
): Change[] {
  const moves = plan.filter((change) => !owed.has(change.shardIndex));
  if (moves.length === 0) return [...plan];
  const after = [...found.chunk.diskIds];
  for (const change of plan) after[change.shardIndex] = change.toDiskId;
  const { policy } = found.manifest;
  const before = crowdedShards(deps.view, policy, found.chunk.diskIds).length;
  if (crowdedShards(deps.view, policy, after).length < before) return [...plan];
  return plan.filter((change) => owed.has(change.shardIndex));
}

async function commit(
  deps: KeeperDeps,
  repair: {
    readonly damaged: DamagedChunk;
    readonly manifest: Manifest;
    readonly chunk: Chunk;
    readonly begunMs: number;
    readonly plan: readonly Change[];
    readonly rebuilt: readonly number[];
    readonly diagnosis: Diagnosis;
  },
): Promise<RepairResult> {
  const { damaged, manifest, chunk, plan, rebuilt, diagnosis } = repair;
  const changes = plan.filter((change) => rebuilt.includes(change.shardIndex));
  const after = [...chunk.diskIds];
  for (const change of changes) after[change.shardIndex] = change.toDiskId;
  const relaxed = crowdedShards(deps.view, manifest.policy, after).length > 0;
  const { bucketId, key, manifestId, chunkId, groupId } = damaged;
  const reply = await deps.metadata.execute(groupId, {
    case: "relocateShards",
    value: {
      bucketId,
      key,
      manifestId,
      chunkId,
      changes,
      placementGroup: chunk.placementGroup,
      relaxed,
      begunMs: BigInt(repair.begunMs),
    },
  });
  if (reply.outcome === Outcome.NO_SUCH_KEY) return { kind: "done", rebuiltCount: 0 };
  if (reply.outcome !== Outcome.OK) {
    return { kind: "later", reason: reply.message || `outcome ${reply.outcome}` };
  }
  const unsolved = diagnosis.lost.length > changes.length || relaxed || diagnosis.away > 0;
  return unsolved
    ? { kind: "later", reason: "not every shard has its place yet" }
    : { kind: "done", rebuiltCount: changes.length };
}
