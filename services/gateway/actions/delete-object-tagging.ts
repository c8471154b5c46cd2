// DeleteObjectTagging: takes all tags from a version.
import { type Answer, emptyAnswer } from "../answer.ts";
import type { TagInit } from "../data/object-tags.ts";
import { changeVersion } from "../data/version-change.ts";
import { versionIdFields } from "../data/version-id.ts";
import { type ObjectContext, type ObjectOperation, SMALL_BODY_BYTES_MAX } from "../operation.ts";

export const deleteObjectTagging: ObjectOperation = {
  name: "DeleteObjectTagging",
  method: "DELETE",
  match: { level: "object", query: ["tagging"] },
  permission: "s3:DeleteObjectTagging",
  versionPermission: "s3:DeleteObjectVersionTagging",
  body: "none",
  bodyBytesMax: SMALL_BODY_BYTES_MAX,
  errors: ["MethodNotAllowed", "NoSuchBucket", "NoSuchKey", "NoSuchVersion"],
  page: "DeleteObjectTagging",
  scope: "object",
  run,
};

async function run(context: ObjectContext): Promise<Answer> {
  const tags: TagInit[] = [];
  const change = { case: "tags", value: { tags } } as const;
  const versionId = await changeVersion(context, change, "ObjectTagging:Delete");
  return emptyAnswer(204, versionIdFields(versionId));
}
