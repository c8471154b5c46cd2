// Verifies versions one by one for operators: every shard asked for, with `deep` every shard read
// where it lies and the whole body read and compared. Chunks that are not whole go on the repair
// queue at once.
import { toHex } from "../../base/bytes.ts";
import type { Manifest, PartList, Version } from "../../gen/dolium/record/v1/object_pb.ts";
import type { MetadataClient } from "../metadata-client.ts";
import { type ReadBackDeps, type ReadVerdict, readBack, unitsOf } from "./read-back.ts";
import { auditShards, byChunk, type ChunkFindings, type ShardCondition } from "./shard-audit.ts";

export interface VerifierDeps extends ReadBackDeps {
  readonly metadata: Pick<MetadataClient, "execute" | "query">;
}

export interface VersionTarget {
  readonly groupId: number;
  readonly bucketId: number;
  readonly key: Uint8Array;
  /** 16 bytes. */
  readonly versionId: Uint8Array;
}

export interface ShardProblem {
  readonly chunkId: string;
  readonly shardIndex: number;
  readonly diskId: number;
  readonly condition: Exclude<ShardCondition, "good">;
}

export interface VersionFindings {
  readonly size: number;
  readonly shards: number;
  readonly problems: readonly ShardProblem[];
  /** Every chunk has shards enough that are good, as far as they answer. */
  readonly readable: boolean;
  /** Bytes are compared only with `deep`. */
  readonly body: ReadVerdict["kind"] | "inline" | "not read";
  readonly compared: "md5" | "cells" | "nothing";
  /** Why, where the body is not good. */
  readonly reason: string;
  readonly chunksQueuedForRepair: number;
}

const MANIFESTS_PER_QUERY = 50;
const NOTHING = {
  shards: 0,
  problems: [],
  readable: true,
  compared: "nothing",
  reason: "",
  chunksQueuedForRepair: 0,
} as const;

export function isGood({ problems, readable, body }: VersionFindings): boolean {
  const isRead = body === "good" || body === "inline" || body === "not read";
  return problems.length === 0 && readable && isRead;
}

/**
 * Undefined when the version is gone, or a delete marker. Throws when metadata does not answer, and
 * on the signal.
 */
export async function verifyVersion(
  deps: VerifierDeps,
  target: VersionTarget,
  options: { readonly deep: boolean; readonly signal: AbortSignal },
): Promise<VersionFindings | undefined> {
  let stored = await storedVersion(deps, target);
  if (stored === undefined || stored.version.deleteMarker) return undefined;
  const size = Number(stored.version.size);
  if (stored.wanted === 0) return { ...NOTHING, size, body: "inline" };
  let findings = await auditShards(deps, stored.manifests, options);
  if (findings.some(({ condition }) => condition !== "good")) {
    // It may have been replaced, or its shards moved, while they were asked for.
    stored = await storedVersion(deps, target);
    if (stored === undefined) return undefined;
    findings = await auditShards(deps, stored.manifests, options);
  }
  const { version, partList, manifests, wanted } = stored;
  const chunks = byChunk(findings);
  const problems = findings.flatMap(({ chunkId, shardIndex, diskId, condition }): ShardProblem[] =>
    condition === "good" ? [] : [{ chunkId: toHex(chunkId), shardIndex, diskId, condition }],
  );
  const queued = await queueRepairs(deps, target, chunks);
  const readable = manifests.length === wanted && chunks.every((chunk) => chunk.readable);
  const read = options.deep
    ? await readUnits(deps, target, { version, partList, manifests, signal: options.signal })
    : ({ body: "not read", compared: "nothing", reason: "" } as const);
  const shards = findings.length;
  return { size, shards, problems, readable, chunksQueuedForRepair: queued, ...read };
}

interface StoredVersion {
  readonly version: Version;
  readonly partList: PartList | undefined;
  readonly manifests: readonly Manifest[];
  /** Manifests that the body has. */
  readonly wanted: number;
}

async function storedVersion(
  { metadata }: Pick<VerifierDeps, "metadata">,
  { groupId, bucketId, key, versionId }: VersionTarget,
): Promise<StoredVersion | undefined> {
  const value = { bucketId, key, versionId, withBody: true };
  const answer = await metadata.query(groupId, { case: "getObject", value });
  const { version, partList } = answer;
  if (version === undefined) return undefined;
  const { body } = version;
  const ids =
    body.case === "manifestId"
      ? [body.value]
      : body.case === "partListId"
        ? (partList?.parts ?? []).map(({ manifestId }) => manifestId)
        : [];
  const left = new Map(ids.map((id) => [toHex(id), id]));
  const manifests: Manifest[] = [];
  const take = (found: readonly Manifest[]): void => {
    for (const manifest of found)
      if (left.delete(toHex(manifest.manifestId))) manifests.push(manifest);
  };
  take(answer.manifests);
  while (left.size > 0) {
    const manifestIds = [...left.values()].slice(0, MANIFESTS_PER_QUERY);
    const kind = { case: "getManifest", value: { bucketId, key, manifestIds } } as const;
    const found = (await metadata.query(groupId, kind)).manifests;
    // Gone meanwhile: the version was replaced.
    if (found.length === 0) break;
    take(found);
  }
  return { version, partList, manifests, wanted: ids.length };
}

async function readUnits(
  deps: VerifierDeps,
  { bucketId }: VersionTarget,
  stored: {
    readonly version: Version;
    readonly partList: PartList | undefined;
    readonly manifests: readonly Manifest[];
    readonly signal: AbortSignal;
  },
): Promise<Pick<VersionFindings, "body" | "compared" | "reason">> {
  const { version, partList, manifests, signal } = stored;
  let compared: "md5" | "cells" = "md5";
  for (const unit of unitsOf(version, partList, manifests)) {
    const verdict = await readBack(deps, { bucketId, unit }, { signal });
    if (verdict.compared === "cells") compared = "cells";
    const { kind, reason } = verdict;
    if (kind !== "good") return { body: kind, compared: verdict.compared, reason };
  }
  return { body: "good", compared, reason: "" };
}

/** Queues the chunks with shards that are known to be bad; silent nodes may come back. */
async function queueRepairs(
  { metadata }: Pick<VerifierDeps, "metadata">,
  { groupId, bucketId }: VersionTarget,
  chunks: readonly ChunkFindings[],
): Promise<number> {
  const entries = damagedChunks(bucketId, chunks);
  if (entries.length === 0) return 0;
  await metadata.execute(groupId, { case: "enqueueRepairs", value: { entries } });
  return entries.length;
}

/** Entries for the repair queue: `owed` counts shards that are not good for certain. */
export function damagedChunks(bucketId: number, chunks: readonly ChunkFindings[]) {
  return chunks.flatMap(({ manifest, chunkId, shards }) => {
    const certain = shards.filter(
      ({ condition }) => condition !== "good" && condition !== "silent",
    );
    if (certain.length === 0) return [];
    const { key, manifestId } = manifest;
    return [{ bucketId, key, manifestId, chunkId, owed: certain.length }];
  });
}
