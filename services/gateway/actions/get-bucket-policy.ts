// GetBucketPolicy: the text as it was put.
import { utf8 } from "../../lib/base/bytes.ts";
import type { Answer } from "../answer.ts";
import { missingSetting, settingText } from "../data/setting-operations.ts";
import { type BucketContext, type BucketOperation, SMALL_BODY_BYTES_MAX } from "../operation.ts";

export const getBucketPolicy: BucketOperation = {
  name: "GetBucketPolicy",
  method: "GET",
  match: { level: "bucket", query: ["policy"] },
  permission: "s3:GetBucketPolicy",
  body: "none",
  bodyBytesMax: SMALL_BODY_BYTES_MAX,
  errors: ["NoSuchBucket", "NoSuchBucketPolicy"],
  page: "GetBucketPolicy",
  scope: "bucket",
  fresh: true,
  run,
};

async function run({ bucket }: BucketContext): Promise<Answer> {
  const policy = settingText(bucket, "policy");
  if (policy === undefined) throw missingSetting("NoSuchBucketPolicy", bucket);
  return {
    status: 200,
    headers: [["Content-Type", "application/json"]],
    body: { kind: "bytes", bytes: utf8(policy) },
  };
}
