// GetBucketVersioning. A bucket on which versioning was never set answers an empty document.
import { type BucketRecord, Versioning } from "../../lib/gen/dolium/record/v1/cluster_pb.ts";
import { type VersioningStatus, versioningDocument } from "../../lib/s3/settings/versioning.ts";
import { type Answer, xmlAnswer } from "../answer.ts";
import { ensureConfigured } from "../data/bucket-settings.ts";
import { type BucketContext, type BucketOperation, SMALL_BODY_BYTES_MAX } from "../operation.ts";

export const getBucketVersioning: BucketOperation = {
  name: "GetBucketVersioning",
  method: "GET",
  match: { level: "bucket", query: ["versioning"] },
  permission: "s3:GetBucketVersioning",
  body: "none",
  bodyBytesMax: SMALL_BODY_BYTES_MAX,
  errors: ["NoSuchBucket"],
  page: "GetBucketVersioning",
  scope: "bucket",
  fresh: true,
  run,
};

async function run(context: BucketContext): Promise<Answer> {
  const { bucket } = context;
  // Whoever reads "Enabled" relies on it: a gateway that died half-way is made good first.
  await ensureConfigured(context, bucket);
  return xmlAnswer(versioningDocument(statusOf(bucket)));
}

function statusOf({ versioning }: BucketRecord): VersioningStatus | undefined {
  if (versioning === Versioning.ENABLED) return "Enabled";
  return versioning === Versioning.SUSPENDED ? "Suspended" : undefined;
}
