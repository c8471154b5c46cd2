// GetBucketReplication.
import { readingOperation } from "../data/setting-operations.ts";

export const getBucketReplication = readingOperation({
  name: "GetBucketReplication",
  query: "replication",
  permission: "s3:GetReplicationConfiguration",
  setting: "replication",
  missing: "ReplicationConfigurationNotFoundError",
});
