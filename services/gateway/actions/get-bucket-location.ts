// GetBucketLocation: the region of a bucket, empty for us-east-1.
import { locationDocument } from "../../lib/s3/list-documents.ts";
import { type Answer, xmlAnswer } from "../answer.ts";
import { type BucketContext, type BucketOperation, SMALL_BODY_BYTES_MAX } from "../operation.ts";

export const getBucketLocation: BucketOperation = {
  name: "GetBucketLocation",
  method: "GET",
  match: { level: "bucket", query: ["location"] },
  permission: "s3:GetBucketLocation",
  body: "none",
  bodyBytesMax: SMALL_BODY_BYTES_MAX,
  errors: ["NoSuchBucket"],
  page: "GetBucketLocation",
  scope: "bucket",
  fresh: true,
  run,
};

async function run({ bucket }: BucketContext): Promise<Answer> {
  return xmlAnswer(locationDocument(bucket.region));
}
