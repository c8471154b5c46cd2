// CreateBucket. The directory is one state machine, so of two concurrent creations one wins.
// Creating one's own bucket again is 200 in us-east-1 and 409 elsewhere, as on AWS. A bucket with
// object lock is answered only when every index group knows of the lock.

import { StoreError } from "../../lib/base/errors.ts";
import { XML_BYTES_MAX } from "../../lib/base/limits.ts";
import { ROOT_GROUP } from "../../lib/clients/groups.ts";
import type { BucketRecord } from "../../lib/gen/dolium/record/v1/cluster_pb.ts";
import { Outcome, type Reply } from "../../lib/gen/dolium/record/v1/command_pb.ts";
import { checkBucketName } from "../../lib/s3/bucket-name.ts";
import { S3Error } from "../../lib/s3/errors.ts";
import { type Answer, emptyAnswer } from "../answer.ts";
import { allowNewBucket, checkBucketLimits } from "../data/access/new-bucket-rights.ts";
import { ensureConfigured } from "../data/bucket-settings.ts";
import { type NewBucket, newBucketOf } from "../data/new-bucket.ts";
import { checkOutcome } from "../error-mapper.ts";
import { bucketName, callOptions, type ServiceOperation, type UserContext } from "../operation.ts";

const LEGACY_REGION = "us-east-1";

export const createBucket: ServiceOperation = {
  name: "CreateBucket",
  method: "PUT",
  match: { level: "bucket" },
  permission: "s3:CreateBucket",
  body: "xml",
  bodyBytesMax: XML_BYTES_MAX,
  errors: [
    "BucketAlreadyExists",
    "BucketAlreadyOwnedByYou",
    "IllegalLocationConstraintException",
    "InvalidArgument",
    "InvalidBucketAclWithBlockPublicAccessError",
    "InvalidBucketAclWithObjectOwnership",
    "InvalidBucketName",
    "InvalidLocationConstraint",
    "InvalidRequest",
    "InvalidTag",
    "MalformedXML",
    "NotImplemented",
    "TooManyBuckets",
    "UnresolvableGrantByEmailAddress",
  ],
  page: "CreateBucket",
  scope: "service",
  asksItself: true,
  run,
};

async function run(context: UserContext): Promise<Answer> {
  const { gateway, identity, request } = context;
  const { metadata, cluster, buckets } = gateway.dependencies;
  const name = bucketName(context);
  checkBucketName(name);
  allowNewBucket(context, name);
  const wanted = await newBucketOf(context);
  await checkBucketLimits(context, name);
  const { region, objectLock, settings, policy = cluster.defaultPolicy() } = wanted;
  const value = { name, owner: identity.userId, region, policy, objectLock, settings };
  const kind = { case: "createBucket", value } as const;
  const reply = await metadata.execute(ROOT_GROUP, kind, callOptions(context));
  buckets.invalidate(name);
  const bucket = bucketOf(context, reply, wanted);
  // Also where an earlier attempt made the bucket and died before its groups knew of it.
  await ensureConfigured(context, bucket);
  const location = request.address.style === "virtual-host" ? "/" : `/${name}`;
  return emptyAnswer(200, [["Location", location]]);
}

function bucketOf(context: UserContext, reply: Reply, wanted: NewBucket): BucketRecord {
  const { outcome, message, kind } = reply;
  const bucket = kind.case === "createBucket" ? kind.value.bucket : undefined;
  if (outcome === Outcome.EXISTS) {
    checkExisting(context, bucket, wanted);
  } else if (outcome === Outcome.CONFLICT) {
    // The cluster is being set up, or its policies changed just now.
    throw new StoreError("unavailable", message);
  } else {
    checkOutcome(outcome, message);
  }
  if (bucket === undefined) throw new StoreError("internal", "CreateBucket without its record");
  return bucket;
}

/**
 * Throws unless creating a bucket that exists is as good as having created it.
 */
function checkExisting(
  { gateway, identity, request }: UserContext,
  existing: BucketRecord | undefined,
  wanted: NewBucket,
): void {
  const details = [["BucketName", request.address.bucket ?? ""]] as const;
  if (existing?.owner !== identity.userId) {
    throw new S3Error("BucketAlreadyExists", undefined, { details });
  }
  const isLegacy = gateway.settings.region === LEGACY_REGION;
  // Object lock was asked for, and nobody may believe to have it who does not.
  const lacksLock = wanted.objectLock && !existing.objectLock;
  if (!isLegacy || lacksLock) throw new S3Error("BucketAlreadyOwnedByYou", undefined, { details });
}
