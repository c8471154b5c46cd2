// PutObjectLegalHold: puts a legal hold on a version, or lifts it.
import { XML_BYTES_MAX } from "../../lib/base/limits.ts";
import { parseLegalHold } from "../../lib/s3/settings/object-lock.ts";
import { type Answer, emptyAnswer } from "../answer.ts";
import { legalHoldConditions } from "../data/access/body-conditions.ts";
import { requireObjectLock } from "../data/object-lock.ts";
import { changeVersion } from "../data/version-change.ts";
import { versionIdFields } from "../data/version-id.ts";
import type { ObjectContext, ObjectOperation } from "../operation.ts";

export const putObjectLegalHold: ObjectOperation = {
  name: "PutObjectLegalHold",
  method: "PUT",
  match: { level: "object", query: ["legal-hold"] },
  permission: "s3:PutObjectLegalHold",
  body: "xml",
  conditionsOf: legalHoldConditions,
  bodyBytesMax: XML_BYTES_MAX,
  errors: [
    "InvalidRequest",
    "MalformedXML",
    "MethodNotAllowed",
    "NoSuchBucket",
    "NoSuchKey",
    "NoSuchVersion",
  ],
  page: "PutObjectLegalHold",
  scope: "object",
  run,
};

const EVENT = "ObjectLegalHold:Put";

async function run(context: ObjectContext): Promise<Answer> {
  requireObjectLock(context.bucket);
  const value = { on: parseLegalHold(context.document) };
  const versionId = await changeVersion(context, { case: "legalHold", value }, EVENT);
  return emptyAnswer(200, versionIdFields(versionId));
}
