// DeleteBucketEncryption: new objects that do not say are no longer sealed.
import { deletingOperation } from "../data/setting-operations.ts";

export const deleteBucketEncryption = deletingOperation({
  name: "DeleteBucketEncryption",
  query: "encryption",
  permission: "s3:PutEncryptionConfiguration",
  setting: "encryption",
});
