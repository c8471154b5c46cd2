// DeleteBucketOwnershipControls: afterwards ACLs count and writers own what they write.
import { deletingOperation } from "../data/setting-operations.ts";

export const deleteBucketOwnershipControls = deletingOperation({
  name: "DeleteBucketOwnershipControls",
  query: "ownershipControls",
  permission: "s3:PutBucketOwnershipControls",
  setting: "ownership",
});
