// GetObjectLockConfiguration: whether the bucket has object lock, and the default retention.
import { objectLockDocument } from "../../lib/s3/settings/object-lock.ts";
import { type Answer, xmlAnswer } from "../answer.ts";
import { missingSetting, settingText } from "../data/setting-operations.ts";
import { type BucketContext, type BucketOperation, SMALL_BODY_BYTES_MAX } from "../operation.ts";

export const getObjectLockConfiguration: BucketOperation = {
  name: "GetObjectLockConfiguration",
  method: "GET",
  match: { level: "bucket", query: ["object-lock"] },
  permission: "s3:GetBucketObjectLockConfiguration",
  body: "none",
  bodyBytesMax: SMALL_BODY_BYTES_MAX,
  errors: ["NoSuchBucket", "ObjectLockConfigurationNotFoundError"],
  page: "GetObjectLockConfiguration",
  scope: "bucket",
  fresh: true,
  run,
};

async function run({ bucket }: BucketContext): Promise<Answer> {
  if (!bucket.objectLock) throw missingSetting("ObjectLockConfigurationNotFoundError", bucket);
  const kept = settingText(bucket, "object-lock");
  return xmlAnswer(kept ?? objectLockDocument({ defaultRetention: undefined }));
}
