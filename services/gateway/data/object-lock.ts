// Object lock between headers, documents and records: what a write asks for, what a version has,
// and who may go past a retention under governance.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { toSafeNumber } from "../../lib/base/bytes.ts";
import type { BucketRecord } from "../../lib/gen/dolium/record/v1/cluster_pb.ts";
import {
  ObjectLock_Mode as ModeRecord,
  type ObjectLock,
  type ObjectLockSchema,
} from "../../lib/gen/dolium/record/v1/object_pb.ts";
import { S3Error } from "../../lib/s3/errors.ts";
import type { HeaderField, HeaderList } from "../../lib/s3/headers.ts";
import {
  type LockHeaders,
  type LockMode,
  lockResponseHeaders,
  parseBypassGovernance,
  parseLockHeaders,
  type Retention,
} from "../../lib/s3/settings/object-lock.ts";
import type { BucketContext } from "../operation.ts";
import { allow } from "./access/access-check.ts";

export type ObjectLockInit = MessageInitShape<typeof ObjectLockSchema>;

/** Throws InvalidRequest unless the bucket has object lock. */
export function requireObjectLock(bucket: BucketRecord): void {
  if (bucket.objectLock) return;
  throw new S3Error("InvalidRequest", "Bucket is missing Object Lock Configuration");
}

/**
 * The lock that a write asks for, undefined when it says nothing: then the bucket's default counts.
 * Throws InvalidArgument, InvalidRequest (bucket without object lock).
 */
export function lockOfWrite(
  bucket: BucketRecord,
  headers: HeaderList,
  nowMs: number,
): ObjectLockInit | undefined {
  const { retention, legalHold } = parseLockHeaders(headers, nowMs);
  if (retention === undefined && legalHold === undefined) return undefined;
  requireObjectLock(bucket);
  return { ...retentionRecord(retention), legalHold: legalHold ?? false };
}

export function retentionRecord(retention: Retention | undefined): {
  readonly mode: ModeRecord;
  readonly retainUntilMs: bigint;
} {
  return retention === undefined
    ? { mode: ModeRecord.MODE_UNSPECIFIED, retainUntilMs: 0n }
    : { mode: ModeRecord[retention.mode], retainUntilMs: BigInt(retention.retainUntilMs) };
}

/** The retention of a version, if it has one. */
export function retentionOf(lock: ObjectLock | undefined): Retention | undefined {
  const mode = lock === undefined ? undefined : modeOf(lock.mode);
  if (lock === undefined || mode === undefined) return undefined;
  return { mode, retainUntilMs: toSafeNumber(lock.retainUntilMs) };
}

function modeOf(record: ModeRecord): LockMode | undefined {
  switch (record) {
    case ModeRecord.GOVERNANCE:
      return "GOVERNANCE";
    case ModeRecord.COMPLIANCE:
      return "COMPLIANCE";
    default:
      return undefined;
  }
}

/** x-amz-object-lock-* of an answer about a version. */
export function lockFields(lock: ObjectLock | undefined): readonly HeaderField[] {
  if (lock === undefined) return [];
  const told: LockHeaders = {
    retention: retentionOf(lock),
    legalHold: lock.legalHold ? true : undefined,
  };
  return lockResponseHeaders(told);
}

/**
 * True when the request wants to go past a retention under governance, and may. Throws AccessDenied
 * when it may not.
 */
export function bypassesGovernance(context: BucketContext, key: string): boolean {
  if (!parseBypassGovernance(context.request.headers)) return false;
  const permission = "s3:BypassGovernanceRetention";
  allow(context, { permission, bucket: context.bucket, key });
  return true;
}
