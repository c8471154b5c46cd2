// GetBucketOwnershipControls: who owns what others write, and whether ACLs count.
import { readingOperation } from "../data/setting-operations.ts";

export const getBucketOwnershipControls = readingOperation({
  name: "GetBucketOwnershipControls",
  query: "ownershipControls",
  permission: "s3:GetBucketOwnershipControls",
  setting: "ownership",
  missing: "OwnershipControlsNotFoundError",
});
