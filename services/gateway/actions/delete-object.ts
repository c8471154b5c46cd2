// DeleteObject. Deleting what is not there succeeds, unless a condition was set.
import { present } from "../../lib/base/assert.ts";
import { parseDeleteConditions } from "../../lib/s3/conditions.ts";
import { type Answer, emptyAnswer } from "../answer.ts";
import { deleteTargets } from "../data/object-delete.ts";
import { refuseUnkeptHeaders } from "../data/refused-headers.ts";
import { parseVersionId } from "../data/version-id.ts";
import { deleteCondition } from "../data/write-condition.ts";
import { checkOutcome } from "../error-mapper.ts";
import { type ObjectContext, type ObjectOperation, SMALL_BODY_BYTES_MAX } from "../operation.ts";

export const deleteObject: ObjectOperation = {
  name: "DeleteObject",
  method: "DELETE",
  match: { level: "object" },
  permission: "s3:DeleteObject",
  body: "none",
  bodyBytesMax: SMALL_BODY_BYTES_MAX,
  errors: ["InvalidArgument", "NoSuchBucket", "NoSuchKey", "NotImplemented", "PreconditionFailed"],
  page: "DeleteObject",
  scope: "object",
  run,
};

async function run(context: ObjectContext): Promise<Answer> {
  const { headers, target, receivedMs } = context.request;
  refuseUnkeptHeaders(headers);
  const versionId = parseVersionId(target.query.get("versionId"));
  const { condition, header } = deleteCondition(parseDeleteConditions(headers, receivedMs));
  const results = await deleteTargets(context, [{ key: context.key, versionId, condition }]);
  checkOutcome(present(results[0], "result").outcome, "", header);
  const named = target.query.get("versionId");
  return emptyAnswer(204, named === undefined ? [] : [["x-amz-version-id", named]]);
}
