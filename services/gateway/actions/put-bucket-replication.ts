// PutBucketReplication: which new versions are copied to which buckets. The keeper copies, with
// keys of the operator's; so whoever sets it up must be allowed to write replicas there, and a
// bucket of another store must be one of a target that the operator has named. When it is answered,
// every index group marks what it commits.
import { toHex } from "../../lib/base/bytes.ts";
import { type BucketRecord, Versioning } from "../../lib/gen/dolium/record/v1/cluster_pb.ts";
import { S3Error } from "../../lib/s3/errors.ts";
import {
  parseReplication,
  type ReplicationRule,
  replicationDocument,
} from "../../lib/s3/settings/replication.ts";
import { allow } from "../data/access/access-check.ts";
import { isStorageClass } from "../data/object-record.ts";
import { writingOperation } from "../data/setting-operations.ts";
import { type BucketContext, callOptions } from "../operation.ts";

const ID_BYTES = 12;

export const putBucketReplication = writingOperation({
  name: "PutBucketReplication",
  query: "replication",
  permission: "s3:PutReplicationConfiguration",
  setting: "replication",
  errors: [
    "AccessDenied",
    "InvalidArgument",
    "InvalidRequest",
    "InvalidStorageClass",
    "MalformedXML",
    "NotImplemented",
  ],
  read: async (context) => {
    const { document, gateway } = context;
    const { random } = gateway.dependencies;
    const configuration = parseReplication(document, {
      makeId: () => toHex(random.bytes(ID_BYTES)),
      isTarget: (name) => gateway.replicationTargets.has(name),
      isStorageClass: (name) => isStorageClass(gateway.settings, name),
    });
    for (const rule of configuration.rules) await checkDestination(context, rule);
    return replicationDocument(configuration);
  },
  check: (_context, { versioning }) => {
    if (versioning === Versioning.ENABLED) return;
    throw invalid(
      "Versioning must be 'Enabled' on the bucket to apply a replication configuration",
    );
  },
});

async function checkDestination(context: BucketContext, rule: ReplicationRule): Promise<void> {
  const { destination, deleteMarkers } = rule;
  const { target, bucket: name } = destination.place;
  if (target !== undefined) return;
  const { buckets } = context.gateway.dependencies;
  const bucket = await buckets.refresh(name, callOptions(context));
  if (bucket === undefined) throw invalid("Destination bucket must exist.");
  for (const permission of ["s3:ReplicateObject", "s3:ReplicateDelete"] as const) {
    if (permission === "s3:ReplicateDelete" && !deleteMarkers) continue;
    allow(context, {
      permission,
      bucket,
      key: rule.filter.prefix ?? "",
      subject: replicaOf(bucket),
    });
  }
  if (bucket.bucketId === context.bucket.bucketId) {
    throw invalid("Source and destination must be different buckets.");
  }
  if (bucket.versioning !== Versioning.ENABLED) {
    throw invalid("Destination bucket must have versioning enabled.");
  }
  if (context.bucket.objectLock && !bucket.objectLock) {
    throw invalid("Destination bucket must have Object Lock enabled, as the source bucket has.");
  }
}

/** What a replica is as long as it is not there: the destination's own, shared with nobody. */
function replicaOf({ owner }: BucketRecord) {
  return { facts: { owner, grants: [] }, tags: [] };
}

function invalid(message: string): S3Error {
  return new S3Error("InvalidRequest", message);
}
