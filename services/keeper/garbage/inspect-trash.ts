// The last question before freed shards are deleted for good, asked of the manifests and not of the
// garbage queue: does one of them still name a shard that is about to go? If the two disagree, one
// of them is wrong, so nothing is deleted: garbage is frozen cluster-wide and people are told.
import { equalBytes, toHex } from "../../lib/base/bytes.ts";
import type { Garbage, Manifest } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import type { KeeperDeps } from "../deps.ts";
import type { DayCount } from "../verify/day-count.ts";
import { freezeGarbage, shardText } from "./freeze.ts";

const MANIFESTS_AT_ONCE = 50;

export interface GarbageDeps extends KeeperDeps {
  /** Told of every record that was inspected. */
  readonly trash?: Pick<DayCount, "add">;
}

/**
 * True when no live manifest of the group names a shard of `entries`; else garbage is frozen when
 * it resolves. Throws when the group does not answer.
 */
export async function trashIsUnused(
  deps: GarbageDeps,
  groupId: number,
  entries: readonly Garbage[],
): Promise<boolean> {
  for (let at = 0; at < entries.length; at += MANIFESTS_AT_ONCE) {
    const some = entries.slice(at, at + MANIFESTS_AT_ONCE);
    const named = await namedShard(deps, groupId, some);
    deps.trash?.add({ looked: some.length, problems: named === undefined ? 0 : 1 });
    if (named === undefined) continue;
    await freezeGarbage(deps, `${named} is queued as garbage and named by a manifest`);
    return false;
  }
  return true;
}

/** A shard that is in use, in words. */
async function namedShard(
  deps: KeeperDeps,
  groupId: number,
  entries: readonly Garbage[],
): Promise<string | undefined> {
  const buckets = Map.groupBy(entries, ({ bucketId }) => bucketId);
  for (const [bucketId, freed] of buckets) {
    for (const manifest of await liveManifests(deps, groupId, { bucketId, freed })) {
      for (const entry of freed) {
        if (!equalBytes(entry.manifestId, manifest.manifestId)) continue;
        const found = conflictOf(entry, manifest);
        if (found !== undefined) return found;
      }
    }
  }
  return undefined;
}

/** Those of the freed ones that are there still (or again). */
async function liveManifests(
  deps: KeeperDeps,
  groupId: number,
  { bucketId, freed }: { readonly bucketId: number; readonly freed: readonly Garbage[] },
): Promise<Manifest[]> {
  const left = new Map(freed.map(({ manifestId }) => [toHex(manifestId), manifestId]));
  const found: Manifest[] = [];
  while (left.size > 0) {
    const value = { bucketId, manifestIds: [...left.values()] };
    const { manifests } = await deps.metadata.query(groupId, { case: "getManifest", value });
    // An answer may end early, but never without any.
    if (manifests.length === 0) break;
    for (const manifest of manifests) left.delete(toHex(manifest.manifestId));
    found.push(...manifests);
  }
  return found;
}

/**
 * A relocation frees copies that began before it, and a later one may have brought the shard back
 * to the same disk: then the manifest says so, and only the former copy goes.
 */
function conflictOf(entry: Garbage, manifest: Manifest): string | undefined {
  for (const { chunkId, shardIndex, diskId } of entry.shards) {
    const chunk = manifest.chunks.find((candidate) => equalBytes(candidate.chunkId, chunkId));
    if (diskId === 0 || chunk?.diskIds[shardIndex] !== diskId) continue;
    const cameBack = entry.begunBeforeMs !== 0n && chunk.relocatedMs > entry.begunBeforeMs;
    if (!cameBack) return shardText(chunkId, shardIndex, diskId);
  }
  return undefined;
}
