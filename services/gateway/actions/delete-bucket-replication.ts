// DeleteBucketReplication: new versions are copied nowhere any more. AWS has one permission for
// putting and deleting.
import { deletingOperation } from "../data/setting-operations.ts";

export const deleteBucketReplication = deletingOperation({
  name: "DeleteBucketReplication",
  query: "replication",
  permission: "s3:PutReplicationConfiguration",
  setting: "replication",
});
