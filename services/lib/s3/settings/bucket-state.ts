// What the index groups must know of a bucket, worked out from its record: the one definition of
// what ConfigureBucket carries, for whoever changes a bucket and for whoever finds groups behind.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type BucketRecord, Versioning } from "../../gen/dolium/record/v1/cluster_pb.ts";
import type {
  BucketStateSchema,
  ReplicationRuleSchema,
} from "../../gen/dolium/record/v1/group_pb.ts";
import { ObjectLock_Mode } from "../../gen/dolium/record/v1/object_pb.ts";
import { type DefaultRetention, parseObjectLock } from "./object-lock.ts";
import { parseQuota } from "./quota.ts";
import { parseStoredReplication } from "./replication.ts";

export type BucketStateInit = Exclude<
  MessageInitShape<typeof BucketStateSchema>,
  { readonly $typeName: string }
>;

/**
 * The state of `bucket` as of its revision. Throws MalformedXML when a stored document is broken.
 */
export function bucketStateOf(bucket: BucketRecord): BucketStateInit {
  const { revision, versioning, objectLock } = bucket;
  const lock = documentOf(bucket, "object-lock");
  return {
    revision,
    versioning: versioning === Versioning.UNSPECIFIED ? Versioning.OFF : versioning,
    objectLock,
    ...(lock === undefined ? {} : retentionFields(parseObjectLock(lock).defaultRetention)),
    events: documentOf(bucket, "notification") !== undefined,
    replication: replicationRules(bucket),
    ...quotaFields(bucket),
  };
}

/** Settings that groups must know of, besides those of versions. */
const TOLD_SETTINGS = ["notification", "quota", "replication"];

/** True when groups that know nothing of `bucket` behave as its record wants. */
export function isPlainBucket(bucket: BucketRecord): boolean {
  const { versioning, objectLock } = bucket;
  const hasVersions = versioning !== Versioning.OFF && versioning !== Versioning.UNSPECIFIED;
  const isTold = TOLD_SETTINGS.some((name) => documentOf(bucket, name) !== undefined);
  return !hasVersions && !objectLock && !isTold;
}

function documentOf(bucket: BucketRecord, name: string): Uint8Array | undefined {
  return bucket.settings.find((setting) => setting.name === name)?.document;
}

/** What commits need of the enabled rules; which of them wins is the keeper's affair. */
function replicationRules(bucket: BucketRecord): MessageInitShape<typeof ReplicationRuleSchema>[] {
  const document = documentOf(bucket, "replication");
  if (document === undefined) return [];
  const enabled = parseStoredReplication(document).rules.filter(({ isEnabled }) => isEnabled);
  return enabled.map(({ filter, destination, deleteMarkers, kmsObjects }) => ({
    prefix: filter.prefix ?? "",
    tags: filter.tags.map(({ key: name, value }) => ({ name, value })),
    destination: destination.arn,
    deleteMarkers,
    kmsObjects: kmsObjects === true,
  }));
}

function quotaFields(bucket: BucketRecord): Partial<BucketStateInit> {
  const document = documentOf(bucket, "quota");
  if (document === undefined) return {};
  const { bytes = 0, objects = 0 } = parseQuota(document);
  return { quotaBytes: BigInt(bytes), quotaObjects: BigInt(objects) };
}

function retentionFields(retention: DefaultRetention | undefined): Partial<BucketStateInit> {
  if (retention === undefined) return {};
  const isCompliance = retention.mode === "COMPLIANCE";
  return {
    defaultMode: isCompliance ? ObjectLock_Mode.COMPLIANCE : ObjectLock_Mode.GOVERNANCE,
    defaultDays: retention.days ?? 0,
    defaultYears: retention.years ?? 0,
  };
}
