// DeleteBucketPolicy.
import { deletingOperation } from "../data/setting-operations.ts";

export const deleteBucketPolicy = deletingOperation({
  name: "DeleteBucketPolicy",
  query: "policy",
  permission: "s3:DeleteBucketPolicy",
  setting: "policy",
});
