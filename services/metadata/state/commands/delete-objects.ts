// DeleteObjects: deletes current versions (or lays delete markers over them, by versioning) and
// named versions. Each target has its own result; deleting what is not there is fine.
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
import { VersionSchema } from "../../../lib/gen/dolium/record/v1/object_pb.ts";
import { readBucketState } from "../bucket-states.ts";
import { failedCondition } from "../conditions.ts";
import type { CommandContext } from "../context.ts";
import { accepted } from "../outcome.ts";
import type { StateWriter } from "../records.ts";
import {
  findVersion,
  NULL_VERSION_ID,
  type ObjectPlace,
  pushVersion,
  readHead,
  removeVersion,
} from "../versions.ts";
import { refusedBySeal } from "../write-checks.ts";
import { stamped } from "./put-object.ts";

export async function deleteObjects(
  view: StateWriter,
  command: DeleteObjects,
  context: CommandContext,
): Promise<Reply> {
  const { bucketId } = command;
  const { versioning } = readBucketState(view, bucketId);
  const no = refusedBySeal(view, bucketId);
  if (no !== undefined) return no;
  const results: DeleteObjectsReply_Result[] = [];
  for (const target of command.targets) {
    const place = { bucketId, key: target.key };
    results.push(await deleteTarget(view, context, { place, target, versioning }));
  }
  const value = create(DeleteObjectsReplySchema, { results });
  return accepted({ case: "deleteObjects", value });
}

interface Deletion {
  readonly place: ObjectPlace;
  readonly target: DeleteObjects_Target;
  readonly versioning: Versioning;
}

async function deleteTarget(
  view: StateWriter,
  context: CommandContext,
  { place, target, versioning }: Deletion,
): Promise<DeleteObjectsReply_Result> {
  const head = readHead(view, place);
  const failed = failedCondition(target.condition, head);
  if (failed !== undefined) {
    return create(DeleteObjectsReply_ResultSchema, {
      outcome: failed.outcome,
      versionId: target.versionId,
      existed: head !== undefined && !head.deleteMarker,
    });
  }
  if (target.versionId.byteLength > 0) return deleteVersion(view, context, { place, target });
  // A bucket that says "off" while the key has versions lost its setting: nothing is destroyed
  // then.
  const isPlain = versioning === Versioning.OFF && (head === undefined || head.nullVersion);
  if (!isPlain) return layMarker(view, context, { place, target, versioning });
  if (head !== undefined) {
    await removeVersion(view, context, { place, found: { version: head, isHead: true } });
  }
  return create(DeleteObjectsReply_ResultSchema, {
    outcome: Outcome.OK,
    existed: head !== undefined && !head.deleteMarker,
  });
}

async function deleteVersion(
  view: StateWriter,
  context: CommandContext,
  { place, target }: Omit<Deletion, "versioning">,
): Promise<DeleteObjectsReply_Result> {
  const found = findVersion(view, place, target.versionId);
  if (found !== undefined) await removeVersion(view, context, { place, found });
  return create(DeleteObjectsReply_ResultSchema, {
    outcome: Outcome.OK,
    versionId: target.versionId,
    existed: found !== undefined,
    deleteMarker: found?.version.deleteMarker === true,
  });
}

function layMarker(
  view: StateWriter,
  context: CommandContext,
  { place, versioning }: Deletion,
): DeleteObjectsReply_Result {
  const head = readHead(view, place);
  const marker = stamped(create(VersionSchema, { deleteMarker: true }), versioning, context);
  pushVersion(view, context, { place, version: marker });
  return create(DeleteObjectsReply_ResultSchema, {
    outcome: Outcome.OK,
    deleteMarker: true,
    versionId: marker.nullVersion ? NULL_VERSION_ID : marker.versionId,
    existed: head !== undefined && !head.deleteMarker,
  });
}
