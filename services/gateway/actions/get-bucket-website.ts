// GetBucketWebsite.
import { readingOperation } from "../data/setting-operations.ts";

export const getBucketWebsite = readingOperation({
  name: "GetBucketWebsite",
  query: "website",
  permission: "s3:GetBucketWebsite",
  setting: "website",
  missing: "NoSuchWebsiteConfiguration",
});
