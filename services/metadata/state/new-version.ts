// What a version becomes by being committed: its id, time, lock and kind, and how its id is told.
import { Versioning } from "../../lib/gen/dolium/record/v1/cluster_pb.ts";
import type { BucketState } from "../../lib/gen/dolium/record/v1/group_pb.ts";
import type { Version } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import { hasVersions } from "./bucket-states.ts";
import { type CommandContext, sequenceMs } from "./context.ts";
import { lockOfNewVersion } from "./locks.ts";
import { NULL_VERSION_ID } from "./versions.ts";

/** `version` as it is committed now. A delete marker is never locked. */
export function stamped(version: Version, state: BucketState, context: CommandContext): Version {
  const sequence = context.nextSequence();
  const modifiedMs = sequenceMs(sequence);
  const { lock: own, ...rest } = version;
  const lock = version.deleteMarker ? undefined : lockOfNewVersion(state, own, modifiedMs);
  return {
    ...rest,
    versionId: context.versionId(sequence),
    modifiedMs,
    nullVersion: state.versioning !== Versioning.ENABLED,
    ...(lock === undefined ? {} : { lock }),
  };
}

/** The version id of an answer: nothing in a bucket without versioning, "null", or the id. */
export function answeredId(state: BucketState, version: Version): Uint8Array {
  if (!version.nullVersion) return version.versionId;
  return hasVersions(state) ? NULL_VERSION_ID : new Uint8Array(0);
}
