// DeleteBucketTagging: takes all tags off the bucket. AWS has one permission for both.
import { deletingOperation } from "../data/setting-operations.ts";

export const deleteBucketTagging = deletingOperation({
  name: "DeleteBucketTagging",
  query: "tagging",
  permission: "s3:PutBucketTagging",
  setting: "tagging",
});
