// GetObjectLegalHold: whether a version is under a legal hold. One that never was is told like one
// whose hold was lifted.
import { legalHoldDocument } from "../../lib/s3/settings/object-lock.ts";
import { type Answer, xmlAnswer } from "../answer.ts";
import { requireObjectLock } from "../data/object-lock.ts";
import { requireVersion } from "../data/version-errors.ts";
import { type ObjectContext, type ObjectOperation, SMALL_BODY_BYTES_MAX } from "../operation.ts";

export const getObjectLegalHold: ObjectOperation = {
  name: "GetObjectLegalHold",
  method: "GET",
  match: { level: "object", query: ["legal-hold"] },
  permission: "s3:GetObjectLegalHold",
  body: "none",
  bodyBytesMax: SMALL_BODY_BYTES_MAX,
  errors: ["InvalidRequest", "MethodNotAllowed", "NoSuchBucket", "NoSuchKey", "NoSuchVersion"],
  page: "GetObjectLegalHold",
  scope: "object",
  settlesAccess: true,
  run,
};

async function run(context: ObjectContext): Promise<Answer> {
  requireObjectLock(context.bucket);
  const { version } = await requireVersion(context);
  return xmlAnswer(legalHoldDocument(version.lock?.legalHold === true));
}
