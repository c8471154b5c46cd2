// GetObjectTagging: the tags of a version; none is an empty set.
import { taggingDocument } from "../../lib/s3/settings/tagging.ts";
import { type Answer, xmlAnswer } from "../answer.ts";
import { tagsOf } from "../data/object-tags.ts";
import { requireVersion } from "../data/version-errors.ts";
import { shownVersionId, versionIdFields } from "../data/version-id.ts";
import { type ObjectContext, type ObjectOperation, SMALL_BODY_BYTES_MAX } from "../operation.ts";

export const getObjectTagging: ObjectOperation = {
  name: "GetObjectTagging",
  method: "GET",
  match: { level: "object", query: ["tagging"] },
  permission: "s3:GetObjectTagging",
  versionPermission: "s3:GetObjectVersionTagging",
  body: "none",
  bodyBytesMax: SMALL_BODY_BYTES_MAX,
  errors: ["MethodNotAllowed", "NoSuchBucket", "NoSuchKey", "NoSuchVersion"],
  page: "GetObjectTagging",
  scope: "object",
  settlesAccess: true,
  run,
};

async function run(context: ObjectContext): Promise<Answer> {
  const { version } = await requireVersion(context);
  const shown = versionIdFields(shownVersionId(context.bucket, version));
  return xmlAnswer(taggingDocument(tagsOf(version.tags)), shown);
}
