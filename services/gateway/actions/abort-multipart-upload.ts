// AbortMultipartUpload: the parts become garbage in the same command.
import { type Answer, emptyAnswer } from "../answer.ts";
import { executeAt } from "../data/name-space.ts";
import { requestedUploadId } from "../data/uploads.ts";
import { type ObjectContext, type ObjectOperation, SMALL_BODY_BYTES_MAX } from "../operation.ts";

export const abortMultipartUpload: ObjectOperation = {
  name: "AbortMultipartUpload",
  method: "DELETE",
  match: { level: "object", query: ["uploadId"] },
  permission: "s3:AbortMultipartUpload",
  body: "none",
  bodyBytesMax: SMALL_BODY_BYTES_MAX,
  errors: ["NoSuchBucket", "NoSuchUpload"],
  page: "AbortMultipartUpload",
  scope: "object",
  ofUpload: true,
  run,
};

async function run(context: ObjectContext): Promise<Answer> {
  const { bucket, key } = context;
  const uploadId = requestedUploadId(context);
  const value = { bucketId: bucket.bucketId, key, uploadId };
  await executeAt(context, { bucket, key }, { case: "abortUpload", value });
  return emptyAnswer(204);
}
