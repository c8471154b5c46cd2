// GetBucketPolicyStatus: whether the policy lets the public in.
import { isPublicPolicy, policyStatusDocument } from "../../lib/s3/settings/policy-status.ts";
import { type Answer, xmlAnswer } from "../answer.ts";
import { bucketPolicy } from "../data/access/bucket-facts.ts";
import { missingSetting } from "../data/setting-operations.ts";
import { type BucketContext, type BucketOperation, SMALL_BODY_BYTES_MAX } from "../operation.ts";

export const getBucketPolicyStatus: BucketOperation = {
  name: "GetBucketPolicyStatus",
  method: "GET",
  match: { level: "bucket", query: ["policyStatus"] },
  permission: "s3:GetBucketPolicyStatus",
  body: "none",
  bodyBytesMax: SMALL_BODY_BYTES_MAX,
  errors: ["NoSuchBucket", "NoSuchBucketPolicy"],
  page: "GetBucketPolicyStatus",
  scope: "bucket",
  fresh: true,
  run,
};

async function run({ bucket, gateway }: BucketContext): Promise<Answer> {
  const policy = bucketPolicy(gateway, bucket);
  if (policy === undefined) throw missingSetting("NoSuchBucketPolicy", bucket);
  return xmlAnswer(policyStatusDocument(isPublicPolicy(policy)));
}
