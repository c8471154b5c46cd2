// PutObjectTagging: replaces all tags of a version.
import { XML_BYTES_MAX } from "../../lib/base/limits.ts";
import { parseTagging } from "../../lib/s3/settings/tagging.ts";
import { type Answer, emptyAnswer } from "../answer.ts";
import { taggingConditions } from "../data/access/body-conditions.ts";
import { objectTagLimits, tagRecords } from "../data/object-tags.ts";
import { changeVersion } from "../data/version-change.ts";
import { versionIdFields } from "../data/version-id.ts";
import type { ObjectContext, ObjectOperation } from "../operation.ts";

export const putObjectTagging: ObjectOperation = {
  name: "PutObjectTagging",
  method: "PUT",
  match: { level: "object", query: ["tagging"] },
  permission: "s3:PutObjectTagging",
  versionPermission: "s3:PutObjectVersionTagging",
  body: "xml",
  conditionsOf: taggingConditions,
  bodyBytesMax: XML_BYTES_MAX,
  errors: [
    "BadRequest",
    "InvalidTag",
    "MalformedXML",
    "MethodNotAllowed",
    "NoSuchBucket",
    "NoSuchKey",
    "NoSuchVersion",
  ],
  page: "PutObjectTagging",
  scope: "object",
  run,
};

async function run(context: ObjectContext): Promise<Answer> {
  const tags = tagRecords(parseTagging(context.document, objectTagLimits(context.gateway)));
  const change = { case: "tags", value: { tags } } as const;
  const versionId = await changeVersion(context, change, "ObjectTagging:Put");
  return emptyAnswer(200, versionIdFields(versionId));
}
