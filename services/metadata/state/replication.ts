// What a version knows of its replicas: one status for each destination, and one of all of them.
// Source: Amazon S3 user guide, "Getting replication status information".
import { create } from "@bufbuild/protobuf";
import type { ChangeVersion_Replicated } from "../../lib/gen/dolium/record/v1/command_pb.ts";
import {
  type Replication,
  type Replication_Destination,
  Replication_DestinationSchema,
  Replication_Status,
  ReplicationSchema,
  type Version,
} from "../../lib/gen/dolium/record/v1/object_pb.ts";

export function isReplica({ replication }: Version): boolean {
  return replication?.status === Replication_Status.REPLICA;
}

/** The mark of a version that was written by replication. */
export function replicaMark(): Replication {
  return create(ReplicationSchema, { status: Replication_Status.REPLICA });
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
  if (has(Replication_Status.PENDING)) return Replication_Status.PENDING;
  return has(Replication_Status.FAILED) ? Replication_Status.FAILED : Replication_Status.COMPLETED;
}
