// ImportState: takes a backup into a group that holds nothing else, batch after batch, each entry
// under its own checksum. What belongs to the former log (replies) or to one replica is not taken.
// The cluster map comes last and begins the cluster: garbage frozen in it, its epoch and the ids it
// gives out next raised beyond whatever was given out after the backup.
import { create } from "@bufbuild/protobuf";
import { equalBytes } from "../../../lib/base/bytes.ts";
import {
  type ClusterMap,
  ClusterMapSchema,
  GarbageFreezeSchema,
} from "../../../lib/gen/dolium/record/v1/cluster_pb.ts";
import {
  type ImportState,
  type ImportState_Entry,
  ImportStateReplySchema,
  Outcome,
  type Reply,
} from "../../../lib/gen/dolium/record/v1/command_pb.ts";
import {
  GroupMetaSchema,
  type ImportMark,
  ImportMarkSchema,
} from "../../../lib/gen/dolium/record/v1/group_pb.ts";
import { decodeChecked } from "../checked-value.ts";
import type { CommandContext } from "../context.ts";
import { IMPORT_KEY, TABLE, tableRange } from "../keys.ts";
import { accepted, type ReplyKind, refused } from "../outcome.ts";
import { decodeRecord, putRecord, readRecord, type StateWriter } from "../records.ts";

/** More than a cluster changes its map, or gives out ids, between two backups. */
const EPOCHS_AHEAD = 1n << 32n;
const IDS_AHEAD = 1 << 16;

/** A cluster that waits for its map may have written these. */
const HARMLESS: ReadonlySet<number> = new Set([
  TABLE.local,
  TABLE.reply,
  TABLE.replyAge,
  TABLE.meta,
  TABLE.lease,
  TABLE.lastUse,
  TABLE.importMark,
]);
/** Of the former log, or of another import. */
const LEFT_OUT: ReadonlySet<number> = new Set([
  TABLE.local,
  TABLE.reply,
  TABLE.replyAge,
  TABLE.importMark,
]);

export async function importState(
  view: StateWriter,
  command: ImportState,
  context: CommandContext,
): Promise<Reply> {
  const { importId, batch, entries, fenceMs, last } = command;
  const known = readRecord(view, ImportMarkSchema, IMPORT_KEY);
  if (known === undefined && !(await isUnused(view))) {
    return refused(Outcome.NOT_EMPTY, "the group is in use: a backup is taken into an empty one");
  }
  const mark = known ?? create(ImportMarkSchema, { importId });
  if (!equalBytes(mark.importId, importId)) {
    return refused(Outcome.CONFLICT, "another backup was begun to be imported here");
  }
  if (batch < mark.nextBatch) return accepted(progressOf(mark));
  if (mark.finished || batch > mark.nextBatch) {
    return refused(Outcome.CONFLICT, `batch ${mark.nextBatch} is next`, progressOf(mark));
  }
  mark.entries += BigInt(entries.length);
  if (last && mark.entries !== command.entryCount) {
    const counts = `${mark.entries} of ${command.entryCount} entries came`;
    return refused(Outcome.CONFLICT, counts, progressOf(readOr(view, importId)));
  }
  if (entries.some(({ key }) => key[0] === TABLE.cluster) && !last) {
    return refused(Outcome.CONFLICT, "the cluster map comes last", progressOf(mark));
  }
  for (const entry of entries) take(view, entry, context);
  if (fenceMs > context.meta.fenceMs) context.meta.fenceMs = fenceMs;
  mark.nextBatch += 1n;
  mark.finished = last;
  putRecord(view, ImportMarkSchema, { key: IMPORT_KEY, record: mark });
  return accepted(progressOf(mark));
}

function readOr(view: StateWriter, importId: Uint8Array): ImportMark {
  const known = readRecord(view, ImportMarkSchema, IMPORT_KEY);
  return known ?? create(ImportMarkSchema, { importId });
}

function progressOf({ nextBatch, finished }: ImportMark): ReplyKind {
  return { case: "importState", value: create(ImportStateReplySchema, { nextBatch, finished }) };
}

async function isUnused(view: StateWriter): Promise<boolean> {
  for (const table of Object.values(TABLE)) {
    if (HARMLESS.has(table)) continue;
    if ((await view.scan(tableRange(table), 1)).length > 0) return false;
  }
  return true;
}

function take(
  view: StateWriter,
  { key, stored }: ImportState_Entry,
  context: CommandContext,
): void {
  const table = key[0] ?? 0;
  if (LEFT_OUT.has(table)) return;
  // Its checksum was verified when the command was found well formed.
  const payload = decodeChecked(key, stored);
  if (table === TABLE.meta) {
    takeMeta(payload, context);
  } else if (table === TABLE.cluster) {
    const map = decodeRecord(ClusterMapSchema, payload);
    putRecord(view, ClusterMapSchema, { key, record: restoredMap(map, context) });
  } else {
    view.put(key, payload);
  }
}

/** Counters and clocks of the backup; those of the present log stay. */
function takeMeta(payload: Uint8Array, { meta }: CommandContext): void {
  const { replies, lastSequence, fenceMs } = meta;
  const imported = decodeRecord(GroupMetaSchema, payload);
  // What the root group counts up and others may have seen.
  if (imported.lastBucketId > 0) imported.lastBucketId += IDS_AHEAD;
  if (imported.identityRevision > 0n) imported.identityRevision += EPOCHS_AHEAD;
  Object.assign(meta, imported, { replies });
  if (lastSequence > meta.lastSequence) meta.lastSequence = lastSequence;
  if (fenceMs > meta.fenceMs) meta.fenceMs = fenceMs;
}

function restoredMap(map: ClusterMap, context: CommandContext): ClusterMap {
  map.epoch += EPOCHS_AHEAD;
  map.nextNodeId += IDS_AHEAD;
  map.nextDiskId += IDS_AHEAD;
  map.garbageFreeze = create(GarbageFreezeSchema, {
    reason: "the metadata was restored from a backup",
    sinceMs: context.timeMs,
  });
  return map;
}
