// GetBucketEncryption: how new objects are sealed that do not say.
import { readingOperation } from "../data/setting-operations.ts";

export const getBucketEncryption = readingOperation({
  name: "GetBucketEncryption",
  query: "encryption",
  permission: "s3:GetEncryptionConfiguration",
  setting: "encryption",
  missing: "ServerSideEncryptionConfigurationNotFoundError",
});
