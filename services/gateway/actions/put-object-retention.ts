// PutObjectRetention: sets, extends or lifts the retention of a version. What may be shortened, and
// by whom, the state machine decides when it applies the command.
import { XML_BYTES_MAX } from "../../lib/base/limits.ts";
import { parseRetention } from "../../lib/s3/settings/object-lock.ts";
import { type Answer, emptyAnswer } from "../answer.ts";
import { retentionConditions } from "../data/access/body-conditions.ts";
import { bypassesGovernance, requireObjectLock, retentionRecord } from "../data/object-lock.ts";
import { changeVersion } from "../data/version-change.ts";
import { versionIdFields } from "../data/version-id.ts";
import type { ObjectContext, ObjectOperation } from "../operation.ts";

export const putObjectRetention: ObjectOperation = {
  name: "PutObjectRetention",
  method: "PUT",
  match: { level: "object", query: ["retention"] },
  permission: "s3:PutObjectRetention",
  body: "xml",
  conditionsOf: retentionConditions,
  bodyBytesMax: XML_BYTES_MAX,
  errors: [
    "AccessDenied",
    "InvalidArgument",
    "InvalidRequest",
    "MalformedXML",
    "MethodNotAllowed",
    "NoSuchBucket",
    "NoSuchKey",
    "NoSuchVersion",
  ],
  page: "PutObjectRetention",
  scope: "object",
  run,
};

const EVENT = "ObjectRetention:Put";

async function run(context: ObjectContext): Promise<Answer> {
  const { bucket, document, request, keyText } = context;
  requireObjectLock(bucket);
  const retention = parseRetention(document, request.receivedMs);
  const bypassGovernance = bypassesGovernance(context, keyText);
  const value = { ...retentionRecord(retention), bypassGovernance };
  const versionId = await changeVersion(context, { case: "retention", value }, EVENT);
  return emptyAnswer(200, versionIdFields(versionId));
}
