// PutBucketLogging: requests to the bucket are written as objects into a target bucket, which must
// exist, belong to the same owner and lie in the same region. An empty document turns it off.
import { S3Error } from "../../lib/s3/errors.ts";
import {
  type BucketLogging,
  loggingDocument,
  parseLogging,
} from "../../lib/s3/settings/logging.ts";
import { writingOperation } from "../data/setting-operations.ts";
import { type BucketContext, callOptions } from "../operation.ts";

export const putBucketLogging = writingOperation({
  name: "PutBucketLogging",
  query: "logging",
  permission: "s3:PutBucketLogging",
  setting: "logging",
  errors: ["InvalidArgument", "InvalidTargetBucketForLogging", "MalformedXML", "NotImplemented"],
  read: async (context) => {
    const logging = parseLogging(context.document);
    if (logging === undefined) return undefined;
    await checkTarget(context, logging);
    return loggingDocument(logging);
  },
});

async function checkTarget(context: BucketContext, { targetBucket }: BucketLogging): Promise<void> {
  const { buckets } = context.gateway.dependencies;
  const target = await buckets.refresh(targetBucket, callOptions(context));
  const { owner, region } = context.bucket;
  // The same words for a bucket of somebody else, so that nobody learns which names are taken.
  if (target === undefined || target.owner !== owner) throw badTarget(targetBucket, undefined);
  if (target.region !== region) {
    throw badTarget(targetBucket, "The target bucket lies in another region.");
  }
}

function badTarget(targetBucket: string, message: string | undefined): S3Error {
  return new S3Error("InvalidTargetBucketForLogging", message, {
    details: [["TargetBucket", targetBucket]],
  });
}
