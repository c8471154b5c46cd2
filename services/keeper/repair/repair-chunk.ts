// Makes one chunk whole: finds which of its shards are owed, gone or wrong, rebuilds them from the
// others where the placement table wants them (else on a disk that suits the policy), and commits
// the new places by compare-and-swap. Also moves shards of a relaxed chunk apart once there are
// nodes enough. A node that is merely away keeps its shards.
import { schemeOf } from "../../lib/clients/chunk-rebuild.ts";
import type { DiskAddress } from "../../lib/clients/shard-client.ts";
import { shardBytes } from "../../lib/erasure/geometry.ts";
import { Outcome } from "../../lib/gen/dolium/record/v1/command_pb.ts";
import type { Chunk, Manifest } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import { StatShardsResponse_State as ShardState } from "../../lib/gen/dolium/storage/v1/storage_pb.ts";
import { shardMoves } from "../../lib/placement/placement-table.ts";
import type { KeeperDeps } from "../deps.ts";
import type { Pace } from "../pace.ts";
import { crowdedShards } from "./crowded-shards.ts";
import { enqueue } from "./enqueue.ts";
import { commitChanges, placesAfter, type ShardChange, writeShards } from "./write-shards.ts";

export interface DamagedChunk {
  readonly groupId: number;
  readonly bucketId: number;
  readonly key: Uint8Array;
  readonly manifestId: Uint8Array;
  readonly chunkId: Uint8Array;
}

export type RepairResult =
  /** Whole as its policy wants it, or gone. */
  | { readonly kind: "done"; readonly rebuiltCount: number; readonly rebuiltBytes: number }
  /** Not now: too few disks or shards answer. */
  | { readonly kind: "later"; readonly reason: string };

const NOTHING_REBUILT: RepairResult = { kind: "done", rebuiltCount: 0, rebuiltBytes: 0 };

interface Diagnosis {
  /** Where each shard can be read. */
  readonly sources: (DiskAddress | undefined)[];
  /**
   * Where shards are that their disks hold to be damaged. What could not be read once may be read
   * now, and each cell is checked again: too little else is left to do without them.
   */
  readonly doubted: Map<number, DiskAddress>;
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
  { pace, signal }: { readonly pace: Pace; readonly signal: AbortSignal },
): Promise<RepairResult> {
  const begunMs = deps.clock.wallMs();
  const found = await findChunk(deps, damaged);
  if (found === undefined) return NOTHING_REBUILT;
  const diagnosis = await diagnose(deps, found.chunk, signal);
  const plan = planOf(deps, found, diagnosis);
  if (plan.length === 0 && diagnosis.lost.length > 0) {
    return { kind: "later", reason: "no disk is free for the missing shards" };
  }
  if (plan.length === 0 && diagnosis.away > 0) {
    return { kind: "later", reason: `${diagnosis.away} shards cannot be asked about now` };
  }
  const { groupId, bucketId } = damaged;
  const place = { groupId, bucketId, ...found };
  const sources = sourcesOf(found.manifest, diagnosis);
  const take = (bytes: number): Promise<void> => pace.take(bytes, signal);
  const changes = await writeShards(deps, {
    ...{ place, sources, plan, begunMs, signal },
    pace: take,
  });
  // A commit without changes says that the chunk is whole.
  if (plan.length > 0 && changes.length === 0) {
    return { kind: "later", reason: "no shard was written" };
  }
  const owed = diagnosis.lost.length;
  if (owed > changes.length) {
    // What stays lost must stay queued: whoever reported it may have known of one shard only.
    const { key, manifestId, chunkId } = damaged;
    const entry = { bucketId, key, manifestId, chunkId, sinceMs: BigInt(begunMs), owed };
    await enqueue(deps, groupId, [entry]);
  }
  const { reply, relaxed } = await commitChanges(deps, {
    ...{ place, changes, begunMs },
    movesOnly: false,
  });
  if (reply.outcome === Outcome.NO_SUCH_KEY) return NOTHING_REBUILT;
  if (reply.outcome !== Outcome.OK) {
    return { kind: "later", reason: reply.message || `outcome ${reply.outcome}` };
  }
  const oneShard = shardBytes(found.chunk.size, schemeOf(found.manifest));
  const unsolved = diagnosis.lost.length > changes.length || relaxed || diagnosis.away > 0;
  return unsolved
    ? { kind: "later", reason: "not every shard has its place yet" }
    : { kind: "done", rebuiltCount: changes.length, rebuiltBytes: changes.length * oneShard };
}

/** The good shards; with fewer than are needed, the doubted ones as well. */
function sourcesOf(
  { dataShards }: Manifest,
  { sources, doubted }: Diagnosis,
): readonly (DiskAddress | undefined)[] {
  const goodCount = sources.filter((disk) => disk !== undefined).length;
  if (goodCount >= dataShards) return sources;
  return sources.map((disk, shardIndex) => disk ?? doubted.get(shardIndex));
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
  const sources: Diagnosis["sources"] = [];
  const lost: Diagnosis["lost"] = [];
  const rewritten: Diagnosis["rewritten"] = new Map();
  const doubted: Diagnosis["doubted"] = new Map();
  const states = await Promise.all(
    chunk.diskIds.map((diskId, shardIndex) => shardState(deps, chunk, shardIndex, diskId, signal)),
  );
  let away = 0;
  states.forEach((state, shardIndex) => {
    const disk = deps.view.addressOf(chunk.diskIds[shardIndex] ?? 0);
    sources.push(state === "good" ? disk : undefined);
    if (state === "away") away += 1;
    if (state !== "lost" && state !== "wrong") return;
    lost.push(shardIndex);
    if (state !== "wrong" || disk === undefined) return;
    doubted.set(shardIndex, disk);
    if (deps.view.writable(disk.diskId)) rewritten.set(shardIndex, disk);
  });
  return { sources, doubted, lost, rewritten, away };
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
): ShardChange[] {
  const { manifest, chunk } = found;
  const crowded = crowdedShards(deps.view, manifest.policy, chunk.diskIds).filter(
    (shardIndex) => diagnosis.sources[shardIndex] !== undefined,
  );
  const moved = new Set([...diagnosis.lost, ...crowded]);
  const plan: ShardChange[] = [];
  const held = chunk.diskIds.filter((diskId, index) => diskId !== 0 && !moved.has(index));
  const wanted = wantedPlaces(deps, found);
  for (const shardIndex of moved) {
    const same = diagnosis.rewritten.get(shardIndex)?.diskId;
    const wish = { chunkId: chunk.chunkId, held, count: 1 };
    const toDiskId =
      same ?? wanted.get(shardIndex) ?? deps.view.replacements(manifest.policy, wish)[0]?.diskId;
    if (toDiskId === undefined) continue;
    const fromDiskId = chunk.diskIds[shardIndex] ?? 0;
    const stays = toDiskId === fromDiskId && same === undefined;
    held.push(toDiskId);
    if (!stays) plan.push({ shardIndex, fromDiskId, toDiskId });
  }
  return withoutUselessMoves(deps, found, { plan, owed: new Set(diagnosis.lost) });
}

/** Where the table wants shards that are not on a disk of their group, if that takes them. */
function wantedPlaces(
  deps: KeeperDeps,
  { manifest, chunk }: { readonly manifest: Manifest; readonly chunk: Chunk },
): Map<number, number> {
  const group = deps.view.groupDisks(manifest.policy, chunk.placementGroup);
  if (group?.length !== chunk.diskIds.length) return new Map();
  return new Map(
    shardMoves(chunk.diskIds, group)
      .filter(({ toDiskId }) => deps.view.writable(toDiskId))
      .map(({ shardIndex, toDiskId }) => [shardIndex, toDiskId]),
  );
}

/** A crowded shard moves only to a place that is better, else it would wander for ever. */
function withoutUselessMoves(
  deps: KeeperDeps,
  found: { readonly manifest: Manifest; readonly chunk: Chunk },
  { plan, owed }: { readonly plan: ShardChange[]; readonly owed: ReadonlySet<number> },
): ShardChange[] {
  const moves = plan.filter((change) => !owed.has(change.shardIndex));
  if (moves.length === 0) return plan;
  const after = placesAfter(found.chunk, plan);
  const { policy } = found.manifest;
  const before = crowdedShards(deps.view, policy, found.chunk.diskIds).length;
  if (crowdedShards(deps.view, policy, after).length < before) return plan;
  return plan.filter((change) => owed.has(change.shardIndex));
}
