// GetBucketVersioning. Buckets do not keep versions yet, and AWS answers an empty document for a
// bucket on which versioning was never enabled.
import { openDocument } from "../../lib/s3/document-parts.ts";
import { type Answer, xmlAnswer } from "../answer.ts";
import { type BucketOperation, SMALL_BODY_BYTES_MAX } from "../operation.ts";

const DOCUMENT = "VersioningConfiguration";

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

async function run(): Promise<Answer> {
  return xmlAnswer(openDocument(DOCUMENT).close(DOCUMENT).finish());
}
