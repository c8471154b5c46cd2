// PutBucketEncryption: how new objects are sealed that do not say. Objects that are there stay as
// they are.
import { encryptionDocument, parseEncryption } from "../../lib/s3/settings/encryption.ts";
import { writingOperation } from "../data/setting-operations.ts";

export const putBucketEncryption = writingOperation({
  name: "PutBucketEncryption",
  query: "encryption",
  permission: "s3:PutEncryptionConfiguration",
  setting: "encryption",
  errors: ["InvalidArgument", "MalformedXML", "NotImplemented"],
  read: async ({ document }) => encryptionDocument(parseEncryption(document)),
});
