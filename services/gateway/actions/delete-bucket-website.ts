// DeleteBucketWebsite: the bucket is no web site any more.
import { deletingOperation } from "../data/setting-operations.ts";

export const deleteBucketWebsite = deletingOperation({
  name: "DeleteBucketWebsite",
  query: "website",
  permission: "s3:DeleteBucketWebsite",
  setting: "website",
});
