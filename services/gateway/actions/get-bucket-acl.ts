// GetBucketAcl: the grants as they count.
import { aclDocument } from "../../lib/s3/settings/acl.ts";
import { type Answer, xmlAnswer } from "../answer.ts";
import { bucketGrants } from "../data/bucket-acl.ts";
import { type BucketContext, type BucketOperation, SMALL_BODY_BYTES_MAX } from "../operation.ts";

export const getBucketAcl: BucketOperation = {
  name: "GetBucketAcl",
  method: "GET",
  match: { level: "bucket", query: ["acl"] },
  permission: "s3:GetBucketAcl",
  body: "none",
  bodyBytesMax: SMALL_BODY_BYTES_MAX,
  errors: ["NoSuchBucket"],
  page: "GetBucketAcl",
  scope: "bucket",
  fresh: true,
  run,
};

async function run({ bucket, gateway }: BucketContext): Promise<Answer> {
  const grants = bucketGrants(gateway, bucket);
  return xmlAnswer(aclDocument({ ownerId: bucket.owner, grants }));
}
