// Writes that bring a replica: they say so in a header, which needs a permission of its own. What
// they write is shown as a replica, and replicated no further. Source: Amazon S3 user guide,
// "Getting replication status information".

import type { Version } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import { Replication_Status } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import type { HeaderField, HeaderList } from "../../lib/s3/headers.ts";

const HEADER = "x-amz-replication-status";

export const REPLICA_STATUS = { status: Replication_Status.REPLICA } as const;

export function isReplicaWrite(headers: HeaderList): boolean {
  return headers.get(HEADER) === "REPLICA";
}

/** x-amz-replication-status of GET and HEAD; none where nothing is replicated. */
export function replicationFields({ replication }: Version): readonly HeaderField[] {
  switch (replication?.status) {
    case Replication_Status.PENDING:
      return [[HEADER, "PENDING"]];
    case Replication_Status.COMPLETED:
      return [[HEADER, "COMPLETED"]];
    case Replication_Status.FAILED:
      return [[HEADER, "FAILED"]];
    case Replication_Status.REPLICA:
      return [[HEADER, "REPLICA"]];
    default:
      return [];
  }
}
