// PutBucketVersioning: enables or suspends it. Every index group keeps versions, or stops doing so,
// before the answer goes out. A bucket with object lock keeps versions for good.
import { XML_BYTES_MAX } from "../../lib/base/limits.ts";
import { Versioning } from "../../lib/gen/dolium/record/v1/cluster_pb.ts";
import { S3Error } from "../../lib/s3/errors.ts";
import { parseVersioning } from "../../lib/s3/settings/versioning.ts";
import { type Answer, emptyAnswer } from "../answer.ts";
import { changeBucket, settingDocument } from "../data/bucket-settings.ts";
import type { BucketContext, BucketOperation } from "../operation.ts";

export const putBucketVersioning: BucketOperation = {
  name: "PutBucketVersioning",
  method: "PUT",
  match: { level: "bucket", query: ["versioning"] },
  permission: "s3:PutBucketVersioning",
  body: "xml",
  bodyBytesMax: XML_BYTES_MAX,
  errors: [
    "IllegalVersioningConfigurationException",
    "InvalidBucketState",
    "MalformedXML",
    "NoSuchBucket",
    "NotImplemented",
    "OperationAborted",
  ],
  page: "PutBucketVersioning",
  scope: "bucket",
  fresh: true,
  run,
};

async function run(context: BucketContext): Promise<Answer> {
  if (context.request.headers.has("x-amz-mfa")) throw mfaDelete();
  const status = parseVersioning(context.document);
  const versioning = status === "Enabled" ? Versioning.ENABLED : Versioning.SUSPENDED;
  await changeBucket(context, (bucket) => {
    if (bucket.objectLock && status === "Suspended") throw keepsVersions("An Object Lock");
    if (settingDocument(bucket, "replication") !== undefined && status === "Suspended") {
      throw keepsVersions("A replication");
    }
    return { versioning };
  });
  return emptyAnswer(200);
}

function mfaDelete(): S3Error {
  return new S3Error("NotImplemented", "Deletion by multi-factor authentication is not offered.", {
    details: [["Header", "x-amz-mfa"]],
  });
}

function keepsVersions(which: string): S3Error {
  return new S3Error(
    "InvalidBucketState",
    `${which} configuration is present on this bucket, so the versioning state cannot be changed.`,
  );
}
