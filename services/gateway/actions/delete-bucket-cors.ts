// DeleteBucketCors. AWS has one permission for putting and deleting.
import { deletingOperation } from "../data/setting-operations.ts";

export const deleteBucketCors = deletingOperation({
  name: "DeleteBucketCors",
  query: "cors",
  permission: "s3:PutBucketCORS",
  setting: "cors",
});
