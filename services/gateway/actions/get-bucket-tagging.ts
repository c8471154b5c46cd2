// GetBucketTagging. A bucket without tags is an error on AWS and an empty set on Alluxio, by
// setting.
import { taggingDocument } from "../../lib/s3/settings/tagging.ts";
import { type Answer, xmlAnswer } from "../answer.ts";
import { missingSetting, settingText } from "../data/setting-operations.ts";
import { type BucketContext, type BucketOperation, SMALL_BODY_BYTES_MAX } from "../operation.ts";

export const getBucketTagging: BucketOperation = {
  name: "GetBucketTagging",
  method: "GET",
  match: { level: "bucket", query: ["tagging"] },
  permission: "s3:GetBucketTagging",
  body: "none",
  bodyBytesMax: SMALL_BODY_BYTES_MAX,
  errors: ["NoSuchBucket", "NoSuchTagSet"],
  page: "GetBucketTagging",
  scope: "bucket",
  fresh: true,
  run,
};

async function run({ bucket, gateway }: BucketContext): Promise<Answer> {
  const kept = settingText(bucket, "tagging");
  if (kept !== undefined) return xmlAnswer(kept);
  if (gateway.settings.emptyTagSet === "alluxio") return xmlAnswer(taggingDocument([]));
  throw missingSetting("NoSuchTagSet", bucket);
}
