// GetBucketCors.
import { readingOperation } from "../data/setting-operations.ts";

export const getBucketCors = readingOperation({
  name: "GetBucketCors",
  query: "cors",
  permission: "s3:GetBucketCORS",
  setting: "cors",
  missing: "NoSuchCORSConfiguration",
});
