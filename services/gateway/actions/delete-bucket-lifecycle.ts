// DeleteBucketLifecycle: nothing expires any more. AWS has one permission for both.
import { deletingOperation } from "../data/setting-operations.ts";

export const deleteBucketLifecycle = deletingOperation({
  name: "DeleteBucketLifecycle",
  query: "lifecycle",
  permission: "s3:PutLifecycleConfiguration",
  setting: "lifecycle",
});
