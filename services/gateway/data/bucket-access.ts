// Finds, opens and removes buckets. A bucket is removed in two steps, seal every index group and
// then take it out of the directory; a crash in between is finished by whoever next meets the seal.
// A bucket that any group still has versions of is never taken out of the directory. A bucket that
// does not exist is missing for everybody, as on AWS; all else is told after authorization.
import { assert } from "../../lib/base/assert.ts";
import { isStoreError } from "../../lib/base/errors.ts";
import { ROOT_GROUP } from "../../lib/clients/groups.ts";
import type { BucketRecord } from "../../lib/gen/dolium/record/v1/cluster_pb.ts";
import { Outcome } from "../../lib/gen/dolium/record/v1/command_pb.ts";
import { checkBucketName } from "../../lib/s3/bucket-name.ts";
import { isS3Error, S3Error } from "../../lib/s3/errors.ts";
import { checkOutcome } from "../error-mapper.ts";
import { callOptions, type ServiceContext } from "../operation.ts";
import { AccessCheck, type AccessQuestion, type Permission } from "./access/access-check.ts";

export interface BucketQuestion
  extends Pick<AccessQuestion, "fromBody" | "headers" | "key" | "upload" | "versionId"> {
  readonly name: string;
  /** Undefined: the action asks by itself. */
  readonly permission: Permission | undefined;
  /** Header in which the caller names the owner it expects. */
  readonly ownerHeader: "x-amz-expected-bucket-owner" | "x-amz-source-expected-bucket-owner";
  /** Ask the root group, whatever is cached. */
  readonly fresh: boolean;
  /** A refusal says in x-amz-bucket-region where the bucket is. */
  readonly tellsRegion?: boolean;
}

/** A bucket that the caller may use, as far as that can be told without the object. */
export interface OpenBucket {
  readonly bucket: BucketRecord;
  readonly access: AccessCheck;
}

/** Throws InvalidBucketName, NoSuchBucket, AccessDenied. */
async function openBucket(context: ServiceContext, question: BucketQuestion): Promise<OpenBucket> {
  checkBucketName(question.name);
  const { buckets } = context.gateway.dependencies;
  const find = question.fresh ? buckets.refresh.bind(buckets) : buckets.get.bind(buckets);
  const bucket = await find(question.name, callOptions(context));
  if (bucket === undefined) throw noSuchBucket(question.name);
  return { bucket, access: checkAccess(context, question, bucket) };
}

function checkAccess(
  context: ServiceContext,
  question: BucketQuestion,
  bucket: BucketRecord,
): AccessCheck {
  try {
    return allowAccess(context, question, bucket);
  } catch (error) {
    if (question.tellsRegion !== true || !isS3Error(error, "AccessDenied")) throw error;
    const { code, message, details } = error;
    const headers = [...error.headers, ["x-amz-bucket-region", bucket.region]] as const;
    throw new S3Error(code, message, { details, headers, cause: error });
  }
}

function allowAccess(
  context: ServiceContext,
  question: BucketQuestion,
  bucket: BucketRecord,
): AccessCheck {
  const { permission, ownerHeader } = question;
  const asked = permission === undefined ? undefined : { ...question, permission, bucket };
  const access = new AccessCheck(context, asked);
  const expected = context.request.headers.get(ownerHeader);
  if (expected !== undefined && expected !== bucket.owner) throw new S3Error("AccessDenied");
  return access;
}

/**
 * Runs `work` in the bucket; when the bucket turns out sealed, finishes its removal. If a new one
 * has its name by then and `mayRepeat` says so, runs `work` again in that one, once.
 */
export async function inBucket<T>(
  context: ServiceContext,
  question: BucketQuestion,
  run: { readonly work: (open: OpenBucket) => Promise<T>; readonly mayRepeat: () => boolean },
): Promise<T> {
  const open = await openBucket(context, question);
  const { bucket } = open;
  try {
    return await run.work(open);
  } catch (error) {
    if (!isStoreError(error, "sealed")) throw error;
    const successor = await settleSealed(context, bucket);
    if (successor === undefined) throw noSuchBucket(bucket.name, error);
    if (!run.mayRepeat()) throw new S3Error("ServiceUnavailable", undefined, { cause: error });
    return run.work({ bucket: successor, access: checkAccess(context, question, successor) });
  }
}

/** Finishes a removal somebody began; the bucket that has the name now, if any. */
async function settleSealed(
  context: ServiceContext,
  sealed: BucketRecord,
): Promise<BucketRecord | undefined> {
  const { buckets } = context.gateway.dependencies;
  buckets.invalidate(sealed.name);
  const current = await buckets.refresh(sealed.name, callOptions(context));
  if (current === undefined || current.bucketId !== sealed.bucketId) return current;
  context.log.info("finishing the removal of a sealed bucket", { bucket: sealed.name });
  await removeBucket(context, current);
  return undefined;
}

/**
 * Removes an empty bucket; repeating it after a crash is safe. Throws BucketNotEmpty, and then
 * nothing is removed.
 */
export async function removeBucket(context: ServiceContext, bucket: BucketRecord): Promise<void> {
  const { metadata, buckets } = context.gateway.dependencies;
  const { bucketId, name } = bucket;
  const groups = buckets.groupsOf(bucket);
  assert(groups.length > 0, "removeBucket: a bucket without ranges");
  if (groups.length > 1) await checkEmpty(context, bucket, groups);
  for (const groupId of groups) {
    const kind = { case: "sealBucket", value: { bucketId } } as const;
    const reply = await metadata.execute(groupId, kind, callOptions(context));
    if (reply.outcome !== Outcome.SEALED) checkOutcome(reply.outcome, reply.message);
  }
  const kind = { case: "removeBucket", value: { name, bucketId } } as const;
  const reply = await metadata.execute(ROOT_GROUP, kind, callOptions(context));
  buckets.invalidate(name);
  // Another gateway may have finished it first.
  if (reply.outcome !== Outcome.NO_SUCH_BUCKET) checkOutcome(reply.outcome, reply.message);
}

/**
 * With several groups, looks before the first seal, so that a full one does not leave others
 * sealed.
 */
async function checkEmpty(
  context: ServiceContext,
  bucket: BucketRecord,
  groups: readonly number[],
): Promise<void> {
  const { metadata } = context.gateway.dependencies;
  const { bucketId } = bucket;
  for (const groupId of groups) {
    const kind = { case: "listObjects", value: { bucketId, limit: 1 } } as const;
    try {
      const answer = await metadata.query<"listObjects">(groupId, kind, callOptions(context));
      if (answer.entries.length > 0) throw new S3Error("BucketNotEmpty");
    } catch (error) {
      if (!isStoreError(error, "sealed")) throw error;
    }
  }
}

export function noSuchBucket(name: string, cause?: unknown): S3Error {
  return new S3Error("NoSuchBucket", undefined, {
    details: [["BucketName", name]],
    ...(cause === undefined ? {} : { cause }),
  });
}
