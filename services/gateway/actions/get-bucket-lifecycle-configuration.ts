// GetBucketLifecycleConfiguration, and the older GetBucketLifecycle of the same address.
import { readingOperation } from "../data/setting-operations.ts";

export const getBucketLifecycleConfiguration = readingOperation({
  name: "GetBucketLifecycleConfiguration",
  query: "lifecycle",
  permission: "s3:GetLifecycleConfiguration",
  setting: "lifecycle",
  missing: "NoSuchLifecycleConfiguration",
});
