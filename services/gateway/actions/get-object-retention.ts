// GetObjectRetention: mode and date of a version that has a retention.
import { S3Error } from "../../lib/s3/errors.ts";
import { retentionDocument } from "../../lib/s3/settings/object-lock.ts";
import { type Answer, xmlAnswer } from "../answer.ts";
import { requireObjectLock, retentionOf } from "../data/object-lock.ts";
import { requireVersion } from "../data/version-errors.ts";
import { type ObjectContext, type ObjectOperation, SMALL_BODY_BYTES_MAX } from "../operation.ts";

export const getObjectRetention: ObjectOperation = {
  name: "GetObjectRetention",
  method: "GET",
  match: { level: "object", query: ["retention"] },
  permission: "s3:GetObjectRetention",
  body: "none",
  bodyBytesMax: SMALL_BODY_BYTES_MAX,
  errors: [
    "InvalidRequest",
    "MethodNotAllowed",
    "NoSuchBucket",
    "NoSuchKey",
    "NoSuchObjectLockConfiguration",
    "NoSuchVersion",
  ],
  page: "GetObjectRetention",
  scope: "object",
  settlesAccess: true,
  run,
};

async function run(context: ObjectContext): Promise<Answer> {
  requireObjectLock(context.bucket);
  const { version } = await requireVersion(context);
  const retention = retentionOf(version.lock);
  if (retention === undefined) throw new S3Error("NoSuchObjectLockConfiguration");
  return xmlAnswer(retentionDocument(retention));
}
