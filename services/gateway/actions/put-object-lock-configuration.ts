// PutObjectLockConfiguration: turns object lock on, for good, and sets the default retention of new
// versions. Versioning must be enabled before.
import { XML_BYTES_MAX } from "../../lib/base/limits.ts";
import { Versioning } from "../../lib/gen/dolium/record/v1/cluster_pb.ts";
import { S3Error } from "../../lib/s3/errors.ts";
import { objectLockDocument, parseObjectLock } from "../../lib/s3/settings/object-lock.ts";
import { type Answer, emptyAnswer } from "../answer.ts";
import { changeBucket, settingChange } from "../data/bucket-settings.ts";
import type { BucketContext, BucketOperation } from "../operation.ts";

export const putObjectLockConfiguration: BucketOperation = {
  name: "PutObjectLockConfiguration",
  method: "PUT",
  match: { level: "bucket", query: ["object-lock"] },
  permission: "s3:PutBucketObjectLockConfiguration",
  body: "xml",
  bodyBytesMax: XML_BYTES_MAX,
  errors: [
    "InvalidArgument",
    "InvalidBucketState",
    "MalformedXML",
    "NoSuchBucket",
    "OperationAborted",
  ],
  page: "PutObjectLockConfiguration",
  scope: "bucket",
  fresh: true,
  run,
};

async function run(context: BucketContext): Promise<Answer> {
  const document = objectLockDocument(parseObjectLock(context.document));
  await changeBucket(context, (bucket) => {
    if (!bucket.objectLock && bucket.versioning !== Versioning.ENABLED) throw notVersioned();
    return { objectLock: true, ...settingChange("object-lock", document) };
  });
  return emptyAnswer(200);
}

function notVersioned(): S3Error {
  return new S3Error(
    "InvalidBucketState",
    "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration",
  );
}
