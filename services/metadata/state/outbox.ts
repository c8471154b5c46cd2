// The outbox: what is to be carried out of the group after a commit, written in the same batch as
// what it tells of, so that neither is there without the other. Bounded: while it is full, events
// are dropped and counted, because a dead receiver must not stop writes.
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  type BucketState,
  EventSchema,
  type OutboxEntry,
  OutboxEntrySchema,
} from "../../lib/gen/dolium/record/v1/group_pb.ts";
import type { Version } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import { hasVersions } from "./bucket-states.ts";
import type { CommandContext } from "./context.ts";
import { outboxKey } from "./keys.ts";
import type { StateWriter } from "./records.ts";
import { isReplica, replicateTo } from "./replication.ts";
import type { ObjectPlace } from "./versions.ts";

export const OUTBOX_ENTRIES_MAX = 262_144n;
export const OUTBOX_BYTES_MAX = 1024n * 1024n * 1024n;

type EntryKind = NonNullable<MessageInitShape<typeof OutboxEntrySchema>["kind"]>;

/** Keeps an entry; false, and counted as dropped, when there is no room. */
export function addToOutbox(
  view: StateWriter,
  context: CommandContext,
  entry: { readonly bucketId: number; readonly kind: EntryKind },
): boolean {
  const { meta, timeMs } = context;
  const sequence = context.nextSequence();
  const record: OutboxEntry = create(OutboxEntrySchema, { ...entry, sequence, timeMs });
  const payload = toBinary(OutboxEntrySchema, record);
  const bytes = BigInt(payload.byteLength);
  if (meta.outboxEntries >= OUTBOX_ENTRIES_MAX || meta.outboxBytes + bytes > OUTBOX_BYTES_MAX) {
    context.count("outboxDropped", 1);
    return false;
  }
  view.insert(outboxKey(sequence), payload);
  context.count("outboxEntries", 1);
  context.count("outboxBytes", bytes);
  return true;
}

/** Takes an entry out; one that is not there is fine. */
export function removeFromOutbox(
  view: StateWriter,
  context: CommandContext,
  sequence: bigint,
): void {
  const key = outboxKey(sequence);
  const payload = view.get(key);
  if (payload === undefined) return;
  view.delete(key);
  context.count("outboxEntries", -1);
  context.count("outboxBytes", -payload.byteLength);
}

export interface Happening {
  readonly place: ObjectPlace;
  /** As S3 spells it, without "s3:"; nothing is told when empty. */
  readonly name: string;
  readonly version: Version;
}

/** Tells of what happened to a version, where the bucket wants events or it is replicated. */
export function addEvent(
  view: StateWriter,
  context: CommandContext,
  { state, happening }: { readonly state: BucketState; readonly happening: Happening },
): void {
  const { place, name, version } = happening;
  const carried = replicateTo(name, version);
  if (name === "" || (!state.events && carried.length === 0)) return;
  const isNull = version.nullVersion;
  const value = create(EventSchema, {
    name,
    key: place.key,
    versionId: isNull ? new Uint8Array(0) : version.versionId,
    nullVersion: isNull && hasVersions(state),
    size: version.size,
    etag: version.etag,
    deleteMarker: version.deleteMarker,
    replica: isReplica(version),
    replicateTo: [...carried],
    ...(context.origin === undefined ? {} : { origin: context.origin }),
  });
  addToOutbox(view, context, { bucketId: place.bucketId, kind: { case: "event", value } });
}
