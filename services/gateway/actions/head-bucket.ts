// HeadBucket: does the bucket exist, and may the caller use it?
import { type Answer, emptyAnswer } from "../answer.ts";
import { type BucketContext, type BucketOperation, SMALL_BODY_BYTES_MAX } from "../operation.ts";

export const headBucket: BucketOperation = {
  name: "HeadBucket",
  method: "HEAD",
  match: { level: "bucket" },
  permission: "s3:ListBucket",
  body: "none",
  bodyBytesMax: SMALL_BODY_BYTES_MAX,
  errors: ["NoSuchBucket"],
  page: "HeadBucket",
  scope: "bucket",
  fresh: true,
  tellsRegion: true,
  run,
};

async function run({ bucket }: BucketContext): Promise<Answer> {
  return emptyAnswer(200, [
    ["x-amz-bucket-region", bucket.region],
    ["x-amz-access-point-alias", "false"],
    ["Content-Type", "application/xml"],
  ]);
}
