// GetPublicAccessBlock.
import { readingOperation } from "../data/setting-operations.ts";

export const getPublicAccessBlock = readingOperation({
  name: "GetPublicAccessBlock",
  query: "publicAccessBlock",
  permission: "s3:GetBucketPublicAccessBlock",
  setting: "public-access-block",
  missing: "NoSuchPublicAccessBlockConfiguration",
});
