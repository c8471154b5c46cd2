// Who may create a bucket, and how many. Whoever creates one owns it, so that what the request sets
// on it (list, ownership, lock) is asked about a bucket of the caller; policies and bounds may
// still refuse that. Source: Amazon S3 API reference, CreateBucket, Permissions.
import { ROOT_GROUP } from "../../../lib/clients/groups.ts";
import type { BucketFacts } from "../../../lib/iam/model.ts";
import { S3Error } from "../../../lib/s3/errors.ts";
import { parseCreateBucketConfiguration } from "../../../lib/s3/xml-requests.ts";
import { callOptions, type UserContext } from "../../operation.ts";
import { allow, type Permission } from "./access-check.ts";

const BUCKETS_PER_QUERY = 1000;
const NOTHING_BLOCKED = {
  blockPublicAcls: false,
  ignorePublicAcls: false,
  blockPublicPolicy: false,
  restrictPublicBuckets: false,
};

/** What a header of CreateBucket needs besides the permission to create. */
const PERMISSIONS: readonly (readonly [header: string, permission: Permission])[] = [
  ["x-amz-acl", "s3:PutBucketAcl"],
  ["x-amz-grant-full-control", "s3:PutBucketAcl"],
  ["x-amz-grant-read", "s3:PutBucketAcl"],
  ["x-amz-grant-read-acp", "s3:PutBucketAcl"],
  ["x-amz-grant-write", "s3:PutBucketAcl"],
  ["x-amz-grant-write-acp", "s3:PutBucketAcl"],
  ["x-amz-object-ownership", "s3:PutBucketOwnershipControls"],
];
const LOCK_PERMISSIONS: readonly Permission[] = [
  "s3:PutBucketObjectLockConfiguration",
  "s3:PutBucketVersioning",
];

/** Throws AccessDenied. */
export function allowNewBucket(context: UserContext, name: string): void {
  const { identity, request } = context;
  const { headers } = request;
  const facts: BucketFacts = {
    name,
    owner: identity.userId,
    policy: undefined,
    grants: [],
    ownership: "BucketOwnerEnforced",
    publicAccessBlock: NOTHING_BLOCKED,
  };
  const fromBody = new Map<string, readonly string[]>();
  const { locationConstraint, tags } = configurationOf(context);
  if (locationConstraint !== undefined) fromBody.set("s3:locationconstraint", [locationConstraint]);
  const permissions = new Set<Permission>(["s3:CreateBucket"]);
  for (const [header, permission] of PERMISSIONS) {
    if (headers.has(header)) permissions.add(permission);
  }
  const wantsLock = headers.get("x-amz-bucket-object-lock-enabled")?.toLowerCase() === "true";
  for (const permission of wantsLock ? LOCK_PERMISSIONS : []) permissions.add(permission);
  if (tags.length > 0) permissions.add("s3:PutBucketTagging");
  for (const permission of permissions) {
    allow(context, { permission, bucket: undefined, key: undefined, facts, fromBody });
  }
}

/** A body that cannot be read says nothing here, and is refused after the authorization. */
function configurationOf({ document }: UserContext): Partial<
  ReturnType<typeof parseCreateBucketConfiguration>
> & {
  readonly tags: ReturnType<typeof parseCreateBucketConfiguration>["tags"];
} {
  try {
    return parseCreateBucketConfiguration(document);
  } catch (error) {
    if (!(error instanceof S3Error)) throw error;
    return { tags: [] };
  }
}

/**
 * Throws AccessDenied for users who may not have buckets, TooManyBuckets for those who have as many
 * as they may; a bucket of that name that is theirs already counts for nothing new.
 */
export async function checkBucketLimits(context: UserContext, name: string): Promise<void> {
  const limits = await context.gateway.people.limitsOf(
    context.identity.userId,
    callOptions(context),
  );
  if (limits === undefined) return;
  if (limits.noBuckets) throw new S3Error("AccessDenied", "This user may not create buckets.");
  if (limits.bucketsMax === 0) return;
  const names = await ownBuckets(context, limits.bucketsMax);
  if (names.length >= limits.bucketsMax && !(await owns(context, name))) {
    throw new S3Error("TooManyBuckets");
  }
}

/** Names of the caller's buckets, up to `limit`. */
async function ownBuckets(context: UserContext, limit: number): Promise<string[]> {
  const { metadata } = context.gateway.dependencies;
  const owner = context.identity.userId;
  const names: string[] = [];
  for (;;) {
    const value = { owner, afterName: names.at(-1) ?? "", prefix: "", limit: BUCKETS_PER_QUERY };
    const kind = { case: "listBuckets", value } as const;
    const answer = await metadata.query<"listBuckets">(ROOT_GROUP, kind, callOptions(context));
    names.push(...answer.buckets.map((bucket) => bucket.name));
    if (!answer.truncated || names.length >= limit) return names;
  }
}

async function owns(context: UserContext, name: string): Promise<boolean> {
  const { buckets } = context.gateway.dependencies;
  const bucket = await buckets.refresh(name, callOptions(context));
  return bucket?.owner === context.identity.userId;
}
