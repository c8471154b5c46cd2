// Manifests and what happens to them: stored with the entries their unfinished chunks need in the
// repair queue, freed into the garbage queue. Every shard of a committed manifest is named by
// exactly one of the two, so nothing is deleted that is used and nothing is forgotten.
import { create } from "@bufbuild/protobuf";
import { toHex } from "../../lib/base/bytes.ts";
import { StoreError } from "../../lib/base/errors.ts";
import { GarbageIndexSchema } from "../../lib/gen/dolium/record/v1/group_pb.ts";
import {
  type Chunk,
  type Garbage_Shard,
  Garbage_ShardSchema,
  GarbageSchema,
  type Manifest,
  ManifestSchema,
  type RepairEntry,
  RepairEntrySchema,
} from "../../lib/gen/dolium/record/v1/object_pb.ts";
import { type CommandContext, sequenceMs } from "./context.ts";
import { garbageIndexKey, garbageKey, manifestKey, repairKey } from "./keys.ts";
import {
  insertRecord,
  putRecord,
  readRecord,
  type StateReader,
  type StateWriter,
} from "./records.ts";

/** Milliseconds since 1970 at which the writing of `manifestId` (or an upload id) began. */
export function beginningOf(manifestId: Uint8Array): bigint {
  const view = Buffer.from(manifestId.buffer, manifestId.byteOffset, manifestId.byteLength);
  return BigInt(view.readUIntBE(0, 6));
}

/** Shards of the chunk that are durable nowhere. */
export function owedShards(chunk: Chunk): number {
  return chunk.diskIds.reduce((count, diskId) => (diskId === 0 ? count + 1 : count), 0);
}

export function readManifest(
  reader: StateReader,
  bucketId: number,
  manifestId: Uint8Array,
): Manifest | undefined {
  return readRecord(reader, ManifestSchema, manifestKey(bucketId, manifestId));
}

/** True when a manifest of that id was committed before: ids are never used twice. */
export function wasCommitted(
  reader: StateReader,
  bucketId: number,
  manifestId: Uint8Array,
): boolean {
  return (
    reader.get(manifestKey(bucketId, manifestId)) !== undefined ||
    reader.get(garbageIndexKey(bucketId, manifestId)) !== undefined
  );
}

/**
 * Stores a manifest, and queues for the keeper what it lacks: shards, places, or the policy that it
 * is yet to follow.
 */
export function storeManifest(
  view: StateWriter,
  context: CommandContext,
  { bucketId, manifest }: { readonly bucketId: number; readonly manifest: Manifest },
): void {
  const { manifestId, key } = manifest;
  const following = manifest.followPolicy !== "";
  putRecord(view, ManifestSchema, { key: manifestKey(bucketId, manifestId), record: manifest });
  for (const chunk of manifest.chunks) {
    const owed = owedShards(chunk);
    context.count("shardsOwed", owed);
    if (owed === 0 && !chunk.relaxed && !following) continue;
    const entry = create(RepairEntrySchema, {
      bucketId,
      key,
      manifestId,
      chunkId: chunk.chunkId,
      sinceMs: context.timeMs,
      owed,
      relaxed: chunk.relaxed,
      parityShards: manifest.parityShards,
      following,
    });
    putRepair(view, context, entry);
  }
}

/** Takes a manifest away; its durable shards become garbage. */
export function freeManifest(
  view: StateWriter,
  context: CommandContext,
  { bucketId, manifestId }: { readonly bucketId: number; readonly manifestId: Uint8Array },
): void {
  const manifest = readManifest(view, bucketId, manifestId);
  if (manifest === undefined) {
    throw new StoreError("corrupt", `manifest ${toHex(manifestId)} is referenced but missing`);
  }
  const shards: Garbage_Shard[] = [];
  for (const chunk of manifest.chunks) {
    context.count("shardsOwed", -owedShards(chunk));
    removeRepair(view, context, { bucketId, manifestId, chunkId: chunk.chunkId });
    chunk.diskIds.forEach((diskId, shardIndex) => {
      if (diskId === 0) return;
      shards.push(create(Garbage_ShardSchema, { chunkId: chunk.chunkId, shardIndex, diskId }));
    });
  }
  view.delete(manifestKey(bucketId, manifestId));
  addGarbage(view, context, { bucketId, key: manifest.key, manifestId, shards, begunBeforeMs: 0n });
}

export interface FreedShards {
  readonly bucketId: number;
  readonly key: Uint8Array;
  readonly manifestId: Uint8Array;
  readonly shards: Garbage_Shard[];
  /** Unless 0: only copies whose writer began before then are garbage. */
  readonly begunBeforeMs: bigint;
}

export function addGarbage(view: StateWriter, context: CommandContext, freed: FreedShards): void {
  if (freed.shards.length === 0) return;
  const sequence = context.nextSequence();
  const record = create(GarbageSchema, { ...freed, sequence, freedMs: sequenceMs(sequence) });
  insertRecord(view, GarbageSchema, { key: garbageKey(sequence), record });
  context.count("garbageEntries", 1);
  const key = garbageIndexKey(freed.bucketId, freed.manifestId);
  const index = readRecord(view, GarbageIndexSchema, key) ?? create(GarbageIndexSchema);
  index.sequences.push(sequence);
  putRecord(view, GarbageIndexSchema, { key, record: index });
}

export interface ChunkName {
  readonly bucketId: number;
  readonly manifestId: Uint8Array;
  readonly chunkId: Uint8Array;
}

export function readRepair(reader: StateReader, chunk: ChunkName): RepairEntry | undefined {
  const key = repairKey(chunk.bucketId, chunk.manifestId, chunk.chunkId);
  return readRecord(reader, RepairEntrySchema, key);
}

export function putRepair(view: StateWriter, context: CommandContext, entry: RepairEntry): void {
  const key = repairKey(entry.bucketId, entry.manifestId, entry.chunkId);
  if (view.get(key) === undefined) context.count("repairEntries", 1);
  putRecord(view, RepairEntrySchema, { key, record: entry });
}

export function removeRepair(view: StateWriter, context: CommandContext, chunk: ChunkName): void {
  // Mostly nothing waits for repair: then no chunk needs to be looked up.
  if (context.meta.repairEntries === 0n) return;
  const key = repairKey(chunk.bucketId, chunk.manifestId, chunk.chunkId);
  if (view.get(key) === undefined) return;
  view.delete(key);
  context.count("repairEntries", -1);
}
