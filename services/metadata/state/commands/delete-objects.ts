// DeleteObjects: deletes current versions (or lays delete markers over them, by versioning) and
// named versions. Each target has its own result; deleting what is not there is fine, deleting what
// is locked is not.
import { create } from "@bufbuild/protobuf";
import { Versioning } from "../../../lib/gen/dolium/record/v1/cluster_pb.ts";
import {
  type DeleteObjects,
  type DeleteObjects_Target,
  type DeleteObjectsReply_Result,
  DeleteObjectsReply_ResultSchema,
  DeleteObjectsReplySchema,
  Outcome,
  type Reply,
} from "../../../lib/gen/dolium/record/v1/command_pb.ts";
import type { BucketState } from "../../../lib/gen/dolium/record/v1/group_pb.ts";
import { type Version, VersionSchema } from "../../../lib/gen/dolium/record/v1/object_pb.ts";
import { readBucketState } from "../bucket-states.ts";
import { failedCondition } from "../conditions.ts";
import type { CommandContext } from "../context.ts";
import { isLocked } from "../locks.ts";
import { answeredId, stamped } from "../new-version.ts";
import { addEvent } from "../outbox.ts";
import { accepted } from "../outcome.ts";
import type { StateWriter } from "../records.ts";
import { replicaMark, withReplication } from "../replication.ts";
import {
  type FoundVersion,
  findVersion,
  type ObjectPlace,
  pushVersion,
  readHead,
  removeVersion,
} from "../versions.ts";
import { refusedByLock, refusedBySeal } from "../write-checks.ts";

export async function deleteObjects(
  view: StateWriter,
  command: DeleteObjects,
  context: CommandContext,
): Promise<Reply> {
  const { bucketId, lifecycle } = command;
  const no = refusedBySeal(view, bucketId);
  if (no !== undefined) return no;
  const state = readBucketState(view, bucketId);
  const results: DeleteObjectsReply_Result[] = [];
  for (const target of command.targets) {
    const place = { bucketId, key: target.key };
    results.push(await deleteTarget(view, context, { place, target, state, lifecycle }));
  }
  const value = create(DeleteObjectsReplySchema, { results });
  return accepted({ case: "deleteObjects", value });
}

interface Deletion {
  readonly place: ObjectPlace;
  readonly target: DeleteObjects_Target;
  readonly state: BucketState;
  readonly lifecycle: boolean;
}

async function deleteTarget(
  view: StateWriter,
  context: CommandContext,
  deletion: Deletion,
): Promise<DeleteObjectsReply_Result> {
  const { place, target, state } = deletion;
  const { versionId } = target;
  const head = readHead(view, place);
  const failed = failedCondition(target.condition, head);
  if (failed !== undefined) {
    return create(DeleteObjectsReply_ResultSchema, {
      outcome: failed.outcome,
      versionId,
      existed: isThere(head),
    });
  }
  if (versionId.byteLength > 0) {
    const found = findVersion(view, place, versionId);
    return remove(view, context, { ...deletion, found });
  }
  // A bucket that says "off" while the key has versions lost its setting: nothing is destroyed
  // then.
  const isPlain = state.versioning === Versioning.OFF && (head === undefined || head.nullVersion);
  if (!isPlain) return layMarker(view, context, deletion);
  const found = head === undefined ? undefined : { version: head, isHead: true };
  return remove(view, context, { ...deletion, found });
}

function isThere(head: Version | undefined): boolean {
  return head !== undefined && !head.deleteMarker;
}

/** Removes a version for good, unless it is locked. */
async function remove(
  view: StateWriter,
  context: CommandContext,
  deletion: Deletion & { readonly found: FoundVersion | undefined },
): Promise<DeleteObjectsReply_Result> {
  const { place, target, state, found, lifecycle } = deletion;
  const { versionId, bypassGovernance } = target;
  if (found === undefined) {
    return create(DeleteObjectsReply_ResultSchema, { outcome: Outcome.OK, versionId });
  }
  const { version } = found;
  const result = create(DeleteObjectsReply_ResultSchema, {
    outcome: Outcome.OK,
    versionId,
    // A marker that was deleted by its name was there.
    existed: versionId.byteLength > 0 || !version.deleteMarker,
    deleteMarker: versionId.byteLength > 0 && version.deleteMarker,
  });
  if (isLocked(version, { timeMs: context.timeMs, bypassGovernance })) {
    return { ...result, outcome: Outcome.LOCKED };
  }
  await removeVersion(view, context, { place, found });
  const name = lifecycle ? "LifecycleExpiration:Delete" : "ObjectRemoved:Delete";
  addEvent(view, context, { state, happening: { place, name, version } });
  return result;
}

function layMarker(
  view: StateWriter,
  context: CommandContext,
  { place, target, state, lifecycle }: Deletion,
): DeleteObjectsReply_Result {
  const existed = isThere(readHead(view, place));
  if (refusedByLock(view, context, { state, place }) !== undefined) {
    return create(DeleteObjectsReply_ResultSchema, { outcome: Outcome.LOCKED, existed });
  }
  const mark = target.replica ? { replication: replicaMark() } : {};
  const marker = create(VersionSchema, { deleteMarker: true, ...mark });
  const stood = stamped(marker, state, context);
  // Markers that rules of the lifecycle lay are not replicated, as on AWS.
  const version = lifecycle ? stood : withReplication(stood, state, place);
  pushVersion(view, context, { place, version });
  const source = lifecycle ? "LifecycleExpiration" : "ObjectRemoved";
  const happening = { place, name: `${source}:DeleteMarkerCreated`, version };
  addEvent(view, context, { state, happening });
  return create(DeleteObjectsReply_ResultSchema, {
    outcome: Outcome.OK,
    deleteMarker: true,
    versionId: answeredId(state, version),
    existed,
  });
}
