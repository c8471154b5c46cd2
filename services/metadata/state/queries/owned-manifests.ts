// OwnedManifests: which shards does this group still need, which wait as garbage, which may go?
// Only what is in no manifest, in no garbage record, and began before the fence is DISOWNED:
// nothing older than the fence can be committed any more. Everything in doubt is PENDING.
import { create } from "@bufbuild/protobuf";
import { equalBytes } from "../../../lib/base/bytes.ts";
import {
  type OwnedManifestsAnswer,
  OwnedManifestsAnswerSchema,
  type OwnedManifestsQuery,
  type OwnedManifestsQuery_Shard,
  OwnedManifestsAnswer_Verdict as Verdict,
} from "../../../lib/gen/dolium/metadata/v1/metadata_pb.ts";
import { GarbageIndexSchema } from "../../../lib/gen/dolium/record/v1/group_pb.ts";
import { GarbageSchema, type ShardOwner } from "../../../lib/gen/dolium/record/v1/object_pb.ts";
import { readMeta } from "../context.ts";
import { garbageIndexKey, garbageKey, ID_BYTES } from "../keys.ts";
import { beginningOf, readManifest } from "../manifests.ts";
import { readRecord, type StateReader } from "../records.ts";

export function ownedManifests(
  reader: StateReader,
  query: OwnedManifestsQuery,
): OwnedManifestsAnswer {
  const { fenceMs } = readMeta(reader);
  const verdicts = query.shards.map((shard) => verdictOn(reader, shard, fenceMs));
  return create(OwnedManifestsAnswerSchema, { verdicts, fenceMs });
}

function verdictOn(
  reader: StateReader,
  shard: OwnedManifestsQuery_Shard,
  fenceMs: bigint,
): Verdict {
  const { owner, begunMs } = shard;
  if (owner === undefined || owner.manifestId.byteLength !== ID_BYTES) return Verdict.PENDING;
  if (isNamed(reader, owner, shard)) return Verdict.OWNED;
  if (isGarbage(reader, owner, shard)) return Verdict.GARBAGE;
  const isOld = begunMs < fenceMs && beginningOf(owner.manifestId) < fenceMs;
  return isOld ? Verdict.DISOWNED : Verdict.PENDING;
}

/** A manifest names the shard on that disk. */
function isNamed(
  reader: StateReader,
  { bucketId, manifestId }: ShardOwner,
  shard: OwnedManifestsQuery_Shard,
): boolean {
  const manifest = readManifest(reader, bucketId, manifestId);
  const chunk = manifest?.chunks.find(({ chunkId }) => equalBytes(chunkId, shard.chunkId));
  return shard.diskId !== 0 && chunk?.diskIds[shard.shardIndex] === shard.diskId;
}

/** A garbage record names it, and will have this very copy deleted. */
function isGarbage(
  reader: StateReader,
  { bucketId, manifestId }: ShardOwner,
  shard: OwnedManifestsQuery_Shard,
): boolean {
  const index = readRecord(reader, GarbageIndexSchema, garbageIndexKey(bucketId, manifestId));
  return (index?.sequences ?? []).some((sequence) => {
    const garbage = readRecord(reader, GarbageSchema, garbageKey(sequence));
    if (garbage === undefined) return false;
    const { begunBeforeMs, shards } = garbage;
    if (begunBeforeMs !== 0n && shard.begunMs >= begunBeforeMs) return false;
    return shards.some(
      ({ chunkId, shardIndex, diskId }) =>
        shardIndex === shard.shardIndex &&
        diskId === shard.diskId &&
        equalBytes(chunkId, shard.chunkId),
    );
  });
}
