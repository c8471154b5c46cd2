// One bucket of the provisioning file: made where it is missing, then its settings one by one. A
// bucket that is there and belongs to somebody else keeps its owner unless the file names one.
import { fromUtf8 } from "../../../lib/base/bytes.ts";
import { isStoreError, StoreError } from "../../../lib/base/errors.ts";
import { type BucketRecord, Versioning } from "../../../lib/gen/dolium/record/v1/cluster_pb.ts";
import { isS3Error } from "../../../lib/s3/errors.ts";
import { versioningDocument } from "../../../lib/s3/settings/versioning.ts";
import { deleteBucketPolicy } from "../../actions/delete-bucket-policy.ts";
import { putBucketPolicy } from "../../actions/put-bucket-policy.ts";
import { putBucketVersioning } from "../../actions/put-bucket-versioning.ts";
import { putPublicAccessBlock } from "../../actions/put-public-access-block.ts";
import { publicAccessBlock } from "../../data/bucket-acl.ts";
import { settingDocument } from "../../data/bucket-settings.ts";
import type { AdminDependencies } from "../admin-dependencies.ts";
import { AdminError } from "../admin-error.ts";
import { accessPolicy, isAccessPolicy, OPEN_TO_POLICIES } from "./bucket-access.ts";
import type { BucketWish } from "./provisioning-file.ts";
import type { ReconcileDeps, Step } from "./reconcile.ts";

type BucketStep = (
  deps: ReconcileDeps,
  wish: BucketWish,
  bucket: BucketRecord,
) => Promise<readonly string[]>;

const SETTINGS: readonly BucketStep[] = [seeToRecord, seeToVersioning, seeToPolicy];

export function seeToBucket(wish: BucketWish): Step {
  return async (deps) => {
    const { name } = wish;
    const changes: string[] = [];
    if (await makeMissingBucket(deps, wish)) {
      changes.push(`bucket ${name} was made`);
    }
    for (const see of SETTINGS) {
      const bucket = await bucketOf(deps.admin, name);
      if (bucket === undefined) throw new StoreError("conflict", `${name} was deleted meanwhile`);
      if (wish.objectLock === true && !bucket.objectLock) {
        throw new AdminError(409, "ObjectLock", "it was made without object lock");
      }
      changes.push(...(await see(deps, wish, bucket)));
    }
    return changes;
  };
}

/** False when it is there already. */
export async function makeMissingBucket(deps: ReconcileDeps, wish: BucketWish): Promise<boolean> {
  return (await bucketOf(deps.admin, wish.name)) === undefined && makeBucket(deps, wish);
}

/** As the root group knows it. */
async function bucketOf(
  { gateway }: AdminDependencies,
  name: string,
): Promise<BucketRecord | undefined> {
  return gateway.dependencies.buckets.refresh(name);
}

/** False when another gateway was faster. */
async function makeBucket({ calls }: ReconcileDeps, wish: BucketWish): Promise<boolean> {
  const { name, location, objectLock } = wish;
  const given = { location, objectLock };
  const fields = Object.entries(given).filter(([, value]) => value !== undefined);
  try {
    await calls.call("POST", "/buckets", { name, ...Object.fromEntries(fields) });
    return true;
  } catch (error) {
    const { cause } = error instanceof AdminError ? error : { cause: error };
    const isThere =
      isStoreError(cause, "exists") ||
      isS3Error(cause, "BucketAlreadyOwnedByYou") ||
      isS3Error(cause, "BucketAlreadyExists");
    if (isThere) return false;
    throw error;
  }
}

/** Owner and quota. */
async function seeToRecord(
  { calls }: ReconcileDeps,
  wish: BucketWish,
  bucket: BucketRecord,
): Promise<readonly string[]> {
  const { name, owner, quota } = wish;
  const isOwned = owner === undefined || bucket.owner === owner;
  const { bytes = 0, objects = 0 } = quota ?? {};
  const text = bytes + objects === 0 ? undefined : JSON.stringify({ bytes, objects });
  const isQuota = quota === undefined || textOf(bucket, "quota") === text;
  if (isOwned && isQuota) return [];
  const change = { ...(isOwned ? {} : { owner }), ...(isQuota ? {} : { quota }) };
  await calls.call("PATCH", `/buckets/${encodeURIComponent(name)}`, change);
  return [`bucket ${name}: ${Object.keys(change).join(", ")} changed`];
}

async function seeToVersioning(
  { calls }: ReconcileDeps,
  { name, versioning }: BucketWish,
  bucket: BucketRecord,
): Promise<readonly string[]> {
  if (versioning === undefined) return [];
  const wanted = versioning === "Enabled" ? Versioning.ENABLED : Versioning.SUSPENDED;
  // Off is as good as suspended, for who never had versions.
  const isOff = wanted === Versioning.SUSPENDED && bucket.versioning === Versioning.UNSPECIFIED;
  if (bucket.versioning === wanted || isOff) return [];
  await calls.setting(bucket, putBucketVersioning, versioningDocument(versioning));
  return [`bucket ${name}: versioning is ${versioning} now`];
}

/** A policy of the file's own, or the one that a word stands for. */
async function seeToPolicy(
  deps: ReconcileDeps,
  wish: BucketWish,
  bucket: BucketRecord,
): Promise<readonly string[]> {
  const { name, access, policy } = wish;
  if (access !== undefined && policy !== undefined) {
    throw new AdminError(400, "InvalidArgument", "access and policy exclude each other");
  }
  const before = textOf(bucket, "policy");
  if (policy !== undefined) {
    const text = typeof policy === "string" ? policy : JSON.stringify(policy);
    if (before === text) return [];
    await deps.calls.setting(bucket, putBucketPolicy, text);
    return [`bucket ${name}: its policy was put`];
  }
  return access === undefined ? [] : seeToAccess(deps, { bucket, access, before });
}

async function seeToAccess(
  { admin, calls }: ReconcileDeps,
  now: {
    readonly bucket: BucketRecord;
    readonly access: NonNullable<BucketWish["access"]>;
    readonly before: string | undefined;
  },
): Promise<readonly string[]> {
  const { bucket, access, before } = now;
  const { name } = bucket;
  const wanted = accessPolicy(name, access);
  if (before === wanted) return [];
  if (before !== undefined && !isAccessPolicy(name, before)) {
    throw new AdminError(409, "PolicyOfSomebodyElse", "it has a policy that was written elsewhere");
  }
  if (wanted === undefined) {
    await calls.setting(bucket, deleteBucketPolicy);
    return [`bucket ${name} is closed to everybody but those who may`];
  }
  const blocked = publicAccessBlock(admin.gateway, bucket);
  if (blocked.blockPublicPolicy || blocked.restrictPublicBuckets) {
    await calls.setting(bucket, putPublicAccessBlock, OPEN_TO_POLICIES);
  }
  const open = (await bucketOf(admin, name)) ?? bucket;
  await calls.setting(open, putBucketPolicy, wanted);
  return [`bucket ${name}: everybody may ${access === "public" ? "read and write" : access}`];
}

function textOf(bucket: BucketRecord, setting: "policy" | "quota"): string | undefined {
  const document = settingDocument(bucket, setting);
  return document === undefined ? undefined : fromUtf8(document);
}
