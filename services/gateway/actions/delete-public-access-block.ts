// DeletePublicAccessBlock: ACLs and policies alone decide what is public.
import { deletingOperation } from "../data/setting-operations.ts";

export const deletePublicAccessBlock = deletingOperation({
  name: "DeletePublicAccessBlock",
  query: "publicAccessBlock",
  permission: "s3:PutBucketPublicAccessBlock",
  setting: "public-access-block",
});
