// PutObject: writes a version of a key, its body inline or in a manifest that comes with it.
import { create } from "@bufbuild/protobuf";
import { present } from "../../../lib/base/assert.ts";
import { Versioning } from "../../../lib/gen/dolium/record/v1/cluster_pb.ts";
import {
  type PutObject,
  PutObjectReplySchema,
  type Reply,
} from "../../../lib/gen/dolium/record/v1/command_pb.ts";
import type { Version } from "../../../lib/gen/dolium/record/v1/object_pb.ts";
import { readBucketState } from "../bucket-states.ts";
import { failedCondition } from "../conditions.ts";
import { type CommandContext, sequenceMs } from "../context.ts";
import { storeManifest } from "../manifests.ts";
import { accepted, refused } from "../outcome.ts";
import type { StateWriter } from "../records.ts";
import { pushVersion, readHead } from "../versions.ts";
import { refusedBySeal, refusedManifest } from "../write-checks.ts";

export function putObject(view: StateWriter, command: PutObject, context: CommandContext): Reply {
  const { bucketId, key, manifest } = command;
  const place = { bucketId, key };
  const no =
    refusedBySeal(view, bucketId) ??
    (manifest === undefined ? undefined : refusedManifest(view, context, { bucketId, manifest }));
  if (no !== undefined) return no;
  const failed = failedCondition(command.condition, readHead(view, place));
  if (failed !== undefined) {
    const { existingEtag } = failed;
    return refused(failed.outcome, failed.message, { case: "putObject", value: { existingEtag } });
  }
  const { versioning } = readBucketState(view, bucketId);
  if (manifest !== undefined) storeManifest(view, context, { bucketId, manifest });
  const version = stamped(present(command.version, "version"), versioning, context);
  pushVersion(view, context, { place, version });
  const { versionId, modifiedMs } = version;
  const value = create(PutObjectReplySchema, { versionId, modifiedMs });
  return accepted({ case: "putObject", value });
}

/** `version` with the id, time and kind that it gets by being committed now. */
export function stamped(
  version: Version,
  versioning: Versioning,
  context: CommandContext,
): Version {
  const sequence = context.nextSequence();
  return {
    ...version,
    versionId: context.versionId(sequence),
    modifiedMs: sequenceMs(sequence),
    nullVersion: versioning !== Versioning.ENABLED,
  };
}
