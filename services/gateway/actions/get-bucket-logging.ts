// GetBucketLogging: an empty document where requests are not logged.
import { loggingDocument } from "../../lib/s3/settings/logging.ts";
import { readingOperation } from "../data/setting-operations.ts";

export const getBucketLogging = readingOperation({
  name: "GetBucketLogging",
  query: "logging",
  permission: "s3:GetBucketLogging",
  setting: "logging",
  missing: () => loggingDocument(undefined),
});
