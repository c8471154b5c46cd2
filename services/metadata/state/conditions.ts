// Conditions of a write against the current version of its key, as AWS evaluates them: If-Match on
// a key that is not there (or whose current version is a delete marker) is "no such key", a false
// condition is "precondition failed". Source: S3 user guide, "conditional writes" and "conditional
// deletes".
import { equalBytes } from "../../lib/base/bytes.ts";
import { type Condition, Outcome } from "../../lib/gen/dolium/record/v1/command_pb.ts";
import type { Version } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import { isNullVersionId } from "./versions.ts";

export interface FailedCondition {
  readonly outcome: Outcome;
  readonly message: string;
  /** The entity tag that is there; empty when nothing is. */
  readonly existingEtag: string;
}

/** `head`: the current version, a delete marker or nothing. Undefined when all conditions hold. */
export function failedCondition(
  condition: Condition | undefined,
  head: Version | undefined,
): FailedCondition | undefined {
  if (condition === undefined) return undefined;
  if (condition.ifVersionId.byteLength > 0 && !isVersion(head, condition.ifVersionId)) {
    return {
      outcome: Outcome.PRECONDITION_FAILED,
      message: "the current version is another",
      existingEtag: head?.etag ?? "",
    };
  }
  const current = head === undefined || head.deleteMarker ? undefined : head;
  const demandsPresence =
    condition.ifMatch.length > 0 ||
    condition.ifMatchSize !== undefined ||
    condition.ifMatchModifiedS !== undefined ||
    condition.ifModifiedSinceS !== undefined;
  if (current === undefined) {
    if (!demandsPresence) return undefined;
    return { outcome: Outcome.NO_SUCH_KEY, message: "the key does not exist", existingEtag: "" };
  }
  const reason = falseCondition(condition, current);
  if (reason === undefined) return undefined;
  return {
    outcome: Outcome.PRECONDITION_FAILED,
    message: reason,
    existingEtag: current.etag,
  };
}

function isVersion(head: Version | undefined, versionId: Uint8Array): boolean {
  if (head === undefined) return false;
  if (isNullVersionId(versionId)) return head.nullVersion;
  return equalBytes(head.versionId, versionId);
}

function falseCondition(condition: Condition, current: Version): string | undefined {
  const { ifMatch, ifNoneMatch, ifMatchSize, ifMatchModifiedS } = condition;
  if (ifMatch.length > 0 && !ifMatch.includes("*") && !ifMatch.includes(current.etag)) {
    return "the entity tag is another";
  }
  if (condition.ifAbsent) return "the key exists";
  if (ifNoneMatch.includes("*") || ifNoneMatch.includes(current.etag)) {
    return "the entity tag is the one refused";
  }
  if (ifMatchSize !== undefined && ifMatchSize !== current.size) return "the size is another";
  // Clients know the time of modification to the second.
  const modifiedS = current.modifiedMs / 1000n;
  if (ifMatchModifiedS !== undefined && ifMatchModifiedS !== modifiedS) {
    return "the modification time is another";
  }
  const { ifModifiedSinceS, ifUnmodifiedSinceS } = condition;
  if (ifModifiedSinceS !== undefined && modifiedS <= ifModifiedSinceS) {
    return "the object was not modified since";
  }
  if (ifUnmodifiedSinceS !== undefined && modifiedS > ifUnmodifiedSinceS) {
    return "the object was modified since";
  }
  return undefined;
}
