// DeleteBucket: only an empty one. Sealing refuses every later write in the same instant in which
// the bucket was found empty, so nothing can be lost between the look and the removal.
import { type Answer, emptyAnswer } from "../answer.ts";
import { removeBucket } from "../data/bucket-access.ts";
import { type BucketContext, type BucketOperation, SMALL_BODY_BYTES_MAX } from "../operation.ts";

export const deleteBucket: BucketOperation = {
  name: "DeleteBucket",
  method: "DELETE",
  match: { level: "bucket" },
  permission: "s3:DeleteBucket",
  body: "none",
  bodyBytesMax: SMALL_BODY_BYTES_MAX,
  errors: ["BucketNotEmpty", "NoSuchBucket"],
  page: "DeleteBucket",
  scope: "bucket",
  fresh: true,
  run,
};

async function run(context: BucketContext): Promise<Answer> {
  await removeBucket(context, context.bucket);
  return emptyAnswer(204);
}
