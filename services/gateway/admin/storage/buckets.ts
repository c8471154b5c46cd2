// Buckets as their owners and administrators see them: what they hold, how they are set up, quota
// and owner. Users see their own; what is inside is asked for through S3.
import { fromUtf8, toSafeNumber } from "../../../lib/base/bytes.ts";
import * as Type from "../../../lib/base/settings-schema.ts";
import { ROOT_GROUP } from "../../../lib/clients/groups.ts";
import { usageOfBuckets } from "../../../lib/clients/user-usage.ts";
import {
  type BucketRecord,
  NodeState,
  Versioning,
} from "../../../lib/gen/dolium/record/v1/cluster_pb.ts";
import { formatIsoDate } from "../../../lib/s3/http-date.ts";
import { isPublicAcl } from "../../../lib/s3/settings/acl.ts";
import { isPublicPolicy } from "../../../lib/s3/settings/policy-status.ts";
import { createBucket as createBucketAction } from "../../actions/create-bucket.ts";
import { AccessCheck } from "../../data/access/access-check.ts";
import { bucketFacts } from "../../data/access/bucket-facts.ts";
import { inBucket, removeBucket } from "../../data/bucket-access.ts";
import {
  changeBucket as changeRecord,
  settingChange,
  settingDocument,
} from "../../data/bucket-settings.ts";
import { authorize, callerName, callerOf, decide, ROOT_USER, refused } from "../admin-access.ts";
import { type AdminAnswer, created, done, json } from "../admin-answer.ts";
import { AdminError, invalidArgument, notFound } from "../admin-error.ts";
import { type AdminContext, type AdminOperation, parameter, withBody } from "../admin-operation.ts";
import { body, Name, optional } from "../identity/field-schemas.ts";
import { limitOf, PAGE_QUERY } from "../page.ts";
import {
  Acknowledgement,
  acknowledgementChange,
  acknowledgementOf,
  followingOf,
} from "./bucket-acknowledgement.ts";
import { s3Context } from "./s3-context.ts";

const Quota = body({
  bytes: optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })),
  objects: optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })),
});
const NewBucket = body({
  name: Type.String({ minLength: 3, maxLength: 63 }),
  objectLock: optional(Type.Boolean()),
  location: optional(Type.String({ maxLength: 64 })),
  owner: optional(Name),
  quota: optional(Quota),
});
const BucketUpdate = body({
  owner: optional(Name),
  quota: optional(Quota),
  acknowledgement: optional(Acknowledgement),
});
type QuotaBody = Type.Static<typeof Quota>;

const QUOTA = { action: "dolium:PutBucketQuota", administratorsOnly: true } as const;
const ACKNOWLEDGEMENT = {
  action: "dolium:PutBucketAcknowledgement",
  administratorsOnly: true,
} as const;
const OWNER = { action: "dolium:PutBucketOwner", administratorsOnly: true } as const;

export const BUCKET_OPERATIONS: readonly AdminOperation[] = [
  {
    name: "ListBuckets",
    method: "GET",
    path: "/buckets",
    summary: "Buckets with what they hold: all for administrators, else the caller's own.",
    admission: "caller",
    query: [...PAGE_QUERY, { name: "owner", description: "Only those of this user." }],
    run: listBuckets,
  },
  withBody({
    name: "CreateBucket",
    method: "POST",
    path: "/buckets",
    summary: "Make a bucket; administrators also for others, and with a quota.",
    admission: "caller",
    body: NewBucket,
    run: makeBucket,
  }),
  {
    name: "GetBucket",
    method: "GET",
    path: "/buckets/{bucket}",
    summary:
      "One bucket: owner, settings, quota, usage, and what has yet to follow to other campuses.",
    admission: "caller",
    run: async (context) => json(await bucketView(context, await visibleBucket(context))),
  },
  withBody({
    name: "UpdateBucket",
    method: "PATCH",
    path: "/buckets/{bucket}",
    summary:
      "Give a bucket a quota, another owner, or another acknowledgement of writes: by all campuses, or by one with the rest following.",
    admission: "caller",
    body: BucketUpdate,
    run: updateBucket,
  }),
  {
    name: "DeleteBucket",
    method: "DELETE",
    path: "/buckets/{bucket}",
    summary: "Delete an empty bucket.",
    admission: "caller",
    run: deleteBucket,
  },
];

async function listBuckets(context: AdminContext): Promise<AdminAnswer> {
  const { metadata } = context.deps;
  const mayAll = decide(context, "dolium:ListBuckets", "*").allowed;
  const asked = context.query.get("owner") ?? "";
  const owner = mayAll ? asked : callerName(context);
  if (!mayAll && asked !== "" && asked !== owner) throw denied(context, "dolium:ListBuckets");
  // A bound that leaves out the listing of buckets holds here too.
  if (!mayAll && !decide(context, "s3:ListAllMyBuckets", "*").allowed) {
    throw denied(context, "s3:ListAllMyBuckets");
  }
  const value = {
    owner,
    afterName: context.query.get("after") ?? "",
    prefix: "",
    limit: limitOf(context.query),
  };
  const kind = { case: "listBuckets", value } as const;
  const answer = await metadata.query<"listBuckets">(ROOT_GROUP, kind);
  const known = await knownOf(context, answer.buckets);
  const items = answer.buckets.map((bucket) => shownBucket(context, bucket, known));
  const next = answer.truncated ? answer.buckets.at(-1)?.name : undefined;
  return json(next === undefined ? { items } : { items, next });
}

function denied(context: AdminContext, action: string): AdminError {
  return refused(context, action, decide(context, action, "*"));
}

/** The bucket of the path, for its owner and for whoever may see all. Throws AdminError. */
async function visibleBucket(context: AdminContext): Promise<BucketRecord> {
  const name = parameter(context, "bucket");
  const bucket = await context.deps.gateway.dependencies.buckets.refresh(name);
  const action = "dolium:GetBucket";
  const decision = decide(context, action, `arn:aws:s3:::${name}`);
  const { principal, userId } = callerOf(context).identity;
  const isOwner = principal.ownsByName && bucket?.owner === userId;
  const isOwned = isOwner && decision.by.rule === "no-rule-allows";
  if (!decision.allowed && !isOwned) throw refused(context, action, decision);
  if (bucket === undefined) throw notFound("NoSuchBucket", `There is no bucket ${name}.`);
  return bucket;
}

async function bucketView(context: AdminContext, bucket: BucketRecord): Promise<unknown> {
  const [known, following] = await Promise.all([
    knownOf(context, [bucket]),
    followingOf(context.deps, bucket),
  ]);
  return { ...shownBucket(context, bucket, known), following };
}

/** What is asked for once, however many buckets are shown. */
interface Known {
  readonly usages: Awaited<ReturnType<typeof usageOfBuckets>>;
  /** Where bodies may lie: policies place them over all campuses that have nodes. */
  readonly campuses: readonly string[];
}

async function knownOf(
  { deps: { metadata } }: AdminContext,
  buckets: readonly BucketRecord[],
): Promise<Known> {
  const kind = { case: "getClusterMap", value: {} } as const;
  const [usages, { map }] = await Promise.all([
    usageOfBuckets(metadata, buckets),
    metadata.query<"getClusterMap">(ROOT_GROUP, kind),
  ]);
  const nodes = map?.nodes.filter(({ state }) => state !== NodeState.OUT) ?? [];
  return { usages, campuses: [...new Set(nodes.map(({ campus }) => campus))].sort() };
}

function usageView(usage: ReturnType<Known["usages"]["get"]>): Readonly<Record<string, number>> {
  const { objects = 0n, versions = 0n, bytes = 0n, uploadBytes = 0n } = usage ?? {};
  return {
    objects: toSafeNumber(objects),
    versions: toSafeNumber(versions),
    bytes: toSafeNumber(bytes),
    uploadBytes: toSafeNumber(uploadBytes),
  };
}

function shownBucket(context: AdminContext, bucket: BucketRecord, known: Known): object {
  const { gateway } = context.deps;
  const { policy, grants, publicAccessBlock } = bucketFacts(gateway, bucket);
  const byPolicy =
    policy !== undefined && isPublicPolicy(policy) && !publicAccessBlock.restrictPublicBuckets;
  return {
    name: bucket.name,
    owner: bucket.owner,
    createdAt: formatIsoDate(toSafeNumber(bucket.createdMs)),
    region: bucket.region,
    policy: bucket.policy,
    campuses: known.campuses,
    acknowledgement: acknowledgementOf(bucket),
    versioning: versioningOf(bucket),
    objectLock: bucket.objectLock,
    public: byPolicy || (isPublicAcl(grants) && !publicAccessBlock.ignorePublicAcls),
    quota: quotaOf(bucket),
    usage: usageView(known.usages.get(bucket.bucketId)),
    shards: new Set(bucket.ranges.map(({ groupId }) => groupId)).size,
    settings: bucket.settings.map(({ name }) => name),
  };
}

function versioningOf({ versioning }: BucketRecord): string {
  if (versioning === Versioning.ENABLED) return "Enabled";
  return versioning === Versioning.SUSPENDED ? "Suspended" : "Off";
}

/** 0: no limit. The document is JSON that this API wrote. */
function quotaOf(bucket: BucketRecord): { readonly bytes: number; readonly objects: number } {
  const document = settingDocument(bucket, "quota");
  const parsed: unknown = JSON.parse((document && fromUtf8(document)) ?? "{}");
  if (typeof parsed !== "object" || parsed === null) return { bytes: 0, objects: 0 };
  const fields = new Map(Object.entries(parsed));
  return { bytes: Number(fields.get("bytes") ?? 0), objects: Number(fields.get("objects") ?? 0) };
}

async function makeBucket(
  context: AdminContext,
  wish: Type.Static<typeof NewBucket>,
): Promise<AdminAnswer> {
  const { name, objectLock, location, owner, quota } = wish;
  // Asked first, so that nothing is half done.
  if (owner !== undefined) await checkOwner(context, owner);
  if (quota !== undefined) authorize(context, QUOTA);
  const inner = s3Context(context, {
    method: "PUT",
    bucket: name,
    headers: objectLock === true ? [["x-amz-bucket-object-lock-enabled", "true"]] : [],
    document: locationDocument(location),
  });
  if (createBucketAction.scope !== "service") throw new AdminError(500, "InternalError", "scope");
  await createBucketAction.run(inner);
  const change = { ...(owner === undefined ? {} : { owner }), ...quotaChange(quota) };
  const bucket =
    Object.keys(change).length === 0
      ? await context.deps.gateway.dependencies.buckets.refresh(name)
      : await changed(context, name, change);
  if (bucket === undefined) throw notFound("NoSuchBucket", `${name} was deleted meanwhile.`);
  return created(await bucketView(context, bucket));
}

function locationDocument(location: string | undefined): Uint8Array {
  if (location === undefined || location === "") return new Uint8Array(0);
  if (!/^[A-Za-z0-9-]{1,64}$/.test(location)) throw invalidArgument("location is no region name");
  return Buffer.from(
    `<CreateBucketConfiguration><LocationConstraint>${location}</LocationConstraint></CreateBucketConfiguration>`,
  );
}

async function checkOwner(context: AdminContext, owner: string): Promise<void> {
  authorize(context, OWNER);
  const view = await context.deps.directory.view();
  if (owner === ROOT_USER || view.user(owner) !== undefined) return;
  throw notFound("NoSuchUser", `There is no user ${owner}.`);
}

function quotaChange(quota: QuotaBody | undefined): ReturnType<typeof settingChange> {
  if (quota === undefined) return {};
  const { bytes = 0, objects = 0 } = quota;
  const text = bytes === 0 && objects === 0 ? undefined : JSON.stringify({ bytes, objects });
  return settingChange("quota", text);
}

async function updateBucket(
  context: AdminContext,
  { owner, quota, acknowledgement }: Type.Static<typeof BucketUpdate>,
): Promise<AdminAnswer> {
  const { name } = await visibleBucket(context);
  if (owner === undefined && quota === undefined && acknowledgement === undefined) {
    throw invalidArgument("nothing to change");
  }
  if (owner !== undefined) await checkOwner(context, owner);
  if (quota !== undefined) authorize(context, QUOTA);
  if (acknowledgement !== undefined) authorize(context, ACKNOWLEDGEMENT);
  const acknowledged = await acknowledgementChange(context.deps, acknowledgement);
  const settings = [quotaChange(quota), acknowledged].flatMap((change) => change.settings ?? []);
  const change = { ...(owner === undefined ? {} : { owner }), settings };
  return json(await bucketView(context, await changed(context, name, change)));
}

async function changed(
  context: AdminContext,
  name: string,
  change: ReturnType<typeof settingChange>,
): Promise<BucketRecord> {
  const bucket = await context.deps.gateway.dependencies.buckets.refresh(name);
  if (bucket === undefined) throw notFound("NoSuchBucket", `There is no bucket ${name}.`);
  const inner = s3Context(context, { method: "PUT", bucket: name });
  // Was asked about before; the record is changed in the name of the caller.
  const access = new AccessCheck(inner, undefined);
  return changeRecord({ ...inner, bucket, access }, () => change);
}

async function deleteBucket(context: AdminContext): Promise<AdminAnswer> {
  const name = parameter(context, "bucket");
  const inner = s3Context(context, { method: "DELETE", bucket: name });
  const question = {
    name,
    permission: "s3:DeleteBucket",
    key: undefined,
    ownerHeader: "x-amz-expected-bucket-owner",
    fresh: true,
  } as const;
  await inBucket(inner, question, {
    work: ({ bucket }) => removeBucket(inner, bucket),
    mayRepeat: () => false,
  });
  return done();
}
