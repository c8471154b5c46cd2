// Checks that several writing commands share: is the bucket sealed, may this manifest be committed,
// would a locked version be replaced.
import { Versioning } from "../../lib/gen/dolium/record/v1/cluster_pb.ts";
import { Outcome, type Reply } from "../../lib/gen/dolium/record/v1/command_pb.ts";
import type { BucketState } from "../../lib/gen/dolium/record/v1/group_pb.ts";
import type { Manifest } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import type { CommandContext } from "./context.ts";
import { sealKey } from "./keys.ts";
import { isLocked } from "./locks.ts";
import { beginningOf, wasCommitted } from "./manifests.ts";
import { refused } from "./outcome.ts";
import type { StateReader } from "./records.ts";
import { findVersion, NULL_VERSION_ID, type ObjectPlace } from "./versions.ts";

export function isSealed(reader: StateReader, bucketId: number): boolean {
  return reader.get(sealKey(bucketId)) !== undefined;
}

/** The refusal when the bucket takes no writes any more. */
export function refusedBySeal(reader: StateReader, bucketId: number): Reply | undefined {
  if (!isSealed(reader, bucketId)) return undefined;
  return refused(Outcome.SEALED, "the bucket is being, or has been, deleted");
}

/**
 * The refusal when a write would take the place of a locked null version. Buckets with object lock
 * have versioning, so this is a second bolt.
 */
export function refusedByLock(
  reader: StateReader,
  context: CommandContext,
  { state, place }: { readonly state: BucketState; readonly place: ObjectPlace },
): Reply | undefined {
  if (!state.objectLock || state.versioning === Versioning.ENABLED) return undefined;
  const found = findVersion(reader, place, NULL_VERSION_ID);
  const attempt = { timeMs: context.timeMs, bypassGovernance: false };
  if (found === undefined || !isLocked(found.version, attempt)) return undefined;
  return refused(Outcome.LOCKED, "the version that would be replaced is locked");
}

/** The refusal when the manifest began before the fence, or its id was used before. */
export function refusedManifest(
  reader: StateReader,
  context: CommandContext,
  { bucketId, manifest }: { readonly bucketId: number; readonly manifest: Manifest },
): Reply | undefined {
  if (beginningOf(manifest.manifestId) < context.meta.fenceMs) {
    return refused(Outcome.FENCED, "the writing began before the fence: start again");
  }
  if (wasCommitted(reader, bucketId, manifest.manifestId)) {
    return refused(Outcome.CONFLICT, "a manifest of this id was committed before");
  }
  return undefined;
}
