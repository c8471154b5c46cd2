// What a version knows of its replicas: which destinations wait for it, from the commit that wrote
// it, by the rules that the group knows of its bucket; and what became of it at each. Source:
// Amazon S3 user guide, "What does Amazon S3 replicate?", "Getting replication status information".
import { create } from "@bufbuild/protobuf";
import type { ChangeVersion_Replicated } from "../../lib/gen/dolium/record/v1/command_pb.ts";
import type { BucketState, ReplicationRule } from "../../lib/gen/dolium/record/v1/group_pb.ts";
import {
  Encryption_Kind,
  type Replication,
  type Replication_Destination,
  Replication_DestinationSchema,
  Replication_Status,
  ReplicationSchema,
  type Version,
} from "../../lib/gen/dolium/record/v1/object_pb.ts";
import type { ObjectPlace } from "./versions.ts";

const { PENDING, COMPLETED, FAILED, REPLICA } = Replication_Status;

export function isReplica({ replication }: Version): boolean {
  return replication?.status === REPLICA;
}

/** The mark of a version that was written by replication. */
export function replicaMark(): Replication {
  return create(ReplicationSchema, { status: REPLICA });
}

/** A new version, PENDING for every destination that the bucket's rules have for it. */
export function withReplication(version: Version, state: BucketState, place: ObjectPlace): Version {
  const { replication: _brought, ...rest } = version;
  if (isReplica(version)) return version;
  const wanting = state.replication.filter((rule) => isWanted(rule, version, place));
  const buckets = [...new Set(wanting.map(({ destination }) => destination))];
  if (buckets.length === 0) return rest;
  const destinations = buckets.map((bucket) =>
    create(Replication_DestinationSchema, { bucket, status: PENDING }),
  );
  return { ...rest, replication: create(ReplicationSchema, { status: PENDING, destinations }) };
}

function isWanted(rule: ReplicationRule, version: Version, { key }: ObjectPlace): boolean {
  const prefix = Buffer.from(rule.prefix, "utf8");
  if (!prefix.equals(key.subarray(0, prefix.byteLength))) return false;
  const hasAll = rule.tags.every(({ name, value }) =>
    version.tags.some((tag) => tag.name === name && tag.value === value),
  );
  if (!hasAll) return false;
  if (version.deleteMarker) return rule.deleteMarkers;
  switch (version.encryption?.kind) {
    // The client's key is not there when the keeper copies.
    case Encryption_Kind.SSE_C:
      return false;
    case Encryption_Kind.SSE_KMS:
      return rule.kmsObjects;
    default:
      return true;
  }
}

const CARRIED = /^(?:ObjectCreated:|ObjectRemoved:DeleteMarkerCreated$|ReplicationBegun$)/;
const CHANGED = /^Object(?:Tagging|Acl|Retention|LegalHold):/;

/** Destinations that an event of this name is to be carried to. */
export function replicateTo(name: string, { replication }: Version): readonly string[] {
  const destinations = replication?.destinations ?? [];
  const isMeant = CARRIED.test(name)
    ? ({ status }: Replication_Destination) => status === PENDING
    : () => CHANGED.test(name);
  return destinations.filter(isMeant).map(({ bucket }) => bucket);
}

/** The version after what became of it at one destination; a replica stays one. */
export function afterReplicated(version: Version, change: ChangeVersion_Replicated): Version {
  if (isReplica(version)) return version;
  const { bucket, status, versionId } = change;
  const changed = create(Replication_DestinationSchema, { bucket, status, versionId });
  const others = version.replication?.destinations ?? [];
  const isKnown = others.some((other) => other.bucket === bucket);
  const destinations = isKnown
    ? others.map((other) => (other.bucket === bucket ? changed : other))
    : [...others, changed];
  const replication = { status: statusOfAll(destinations), destinations };
  return { ...version, replication: create(ReplicationSchema, replication) };
}

/** PENDING while any waits, FAILED when any failed, else COMPLETED. */
function statusOfAll(destinations: readonly Replication_Destination[]): Replication_Status {
  const has = (status: Replication_Status): boolean =>
    destinations.some((destination) => destination.status === status);
  if (has(PENDING)) return PENDING;
  return has(FAILED) ? FAILED : COMPLETED;
}
