// Object lock: who may delete, replace or unlock a version. A retention that has not ended or a
// legal hold keeps the version; governance gives way to who may, and wants to, bypass it;
// compliance gives way to nobody. Time is that of the command as the group sees it. Source: Amazon
// S3 user guide, "Locking objects with Object Lock".
import { create } from "@bufbuild/protobuf";
import {
  type ChangeVersion_Retention,
  Outcome,
  type Reply,
} from "../../lib/gen/dolium/record/v1/command_pb.ts";
import type { BucketState } from "../../lib/gen/dolium/record/v1/group_pb.ts";
import {
  type ObjectLock,
  ObjectLock_Mode,
  ObjectLockSchema,
  type Version,
} from "../../lib/gen/dolium/record/v1/object_pb.ts";
import { refused } from "./outcome.ts";

const DAY_MS = 86_400_000n;

export interface LockAttempt {
  readonly timeMs: bigint;
  readonly bypassGovernance: boolean;
}

/** True while the version may be neither deleted nor replaced. */
export function isLocked(version: Version, attempt: LockAttempt): boolean {
  const { lock } = version;
  if (lock === undefined) return false;
  if (lock.legalHold) return true;
  if (!isRetained(lock, attempt.timeMs)) return false;
  return lock.mode === ObjectLock_Mode.COMPLIANCE || !attempt.bypassGovernance;
}

function isRetained(lock: ObjectLock, timeMs: bigint): boolean {
  return lock.mode !== ObjectLock_Mode.MODE_UNSPECIFIED && lock.retainUntilMs > timeMs;
}

/** The refusal of a lock that the bucket does not have. */
export function refusedLock(state: BucketState, lock: ObjectLock | undefined): Reply | undefined {
  if (lock === undefined || state.objectLock) return undefined;
  return refused(Outcome.CONFLICT, "the bucket has no object lock");
}

/** The lock of a version written at `writtenMs` that brings `own`; undefined when it has none. */
export function lockOfNewVersion(
  state: BucketState,
  own: ObjectLock | undefined,
  writtenMs: bigint,
): ObjectLock | undefined {
  const hasOwnPeriod = own !== undefined && own.mode !== ObjectLock_Mode.MODE_UNSPECIFIED;
  const hasDefault = state.objectLock && state.defaultMode !== ObjectLock_Mode.MODE_UNSPECIFIED;
  if (hasOwnPeriod || !hasDefault) return shortened(own);
  return create(ObjectLockSchema, {
    mode: state.defaultMode,
    retainUntilMs: defaultEnd(state, writtenMs),
    legalHold: own?.legalHold === true,
  });
}

/** When the bucket's default retention of what is written now ends; years are calendar years. */
function defaultEnd(state: BucketState, writtenMs: bigint): bigint {
  if (state.defaultYears === 0) return writtenMs + BigInt(state.defaultDays) * DAY_MS;
  const end = new Date(Number(writtenMs));
  end.setUTCFullYear(end.getUTCFullYear() + state.defaultYears);
  return BigInt(end.getTime());
}

/** A lock that says nothing is none. */
export function shortened(lock: ObjectLock | undefined): ObjectLock | undefined {
  if (lock === undefined) return undefined;
  const isEmpty = lock.mode === ObjectLock_Mode.MODE_UNSPECIFIED && !lock.legalHold;
  return isEmpty ? undefined : lock;
}

/** True when `wanted` may take the place of the retention that `lock` holds now. */
export function mayReplaceRetention(
  lock: ObjectLock | undefined,
  wanted: ChangeVersion_Retention,
  timeMs: bigint,
): boolean {
  if (lock === undefined || !isRetained(lock, timeMs)) return true;
  if (wanted.mode === lock.mode && wanted.retainUntilMs >= lock.retainUntilMs) return true;
  return lock.mode === ObjectLock_Mode.GOVERNANCE && wanted.bypassGovernance;
}
