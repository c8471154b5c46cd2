// DeleteObject. In a bucket with versioning it makes a delete marker, and with a version id it
// deletes that version for good. Deleting what is not there succeeds, unless a condition was set.
import { present } from "../../lib/base/assert.ts";
import { parseDeleteConditions } from "../../lib/s3/conditions.ts";
import { refuseManagedEncryption } from "../../lib/s3/encryption-headers.ts";
import type { HeaderField } from "../../lib/s3/headers.ts";
import { type Answer, emptyAnswer } from "../answer.ts";
import { allow } from "../data/access/access-check.ts";
import { allowDeleteConditions } from "../data/access/condition-rights.ts";
import { deleteTargets } from "../data/object-delete.ts";
import { bypassesGovernance } from "../data/object-lock.ts";
import { isReplicaWrite } from "../data/replica-writes.ts";
import {
  CURRENT_VERSION,
  requestedVersionId,
  versionIdFields,
  versionIdText,
} from "../data/version-id.ts";
import { deleteCondition } from "../data/write-condition.ts";
import { checkOutcome } from "../error-mapper.ts";
import { type ObjectContext, type ObjectOperation, SMALL_BODY_BYTES_MAX } from "../operation.ts";

export const deleteObject: ObjectOperation = {
  name: "DeleteObject",
  method: "DELETE",
  match: { level: "object" },
  permission: "s3:DeleteObject",
  versionPermission: "s3:DeleteObjectVersion",
  body: "none",
  bodyBytesMax: SMALL_BODY_BYTES_MAX,
  errors: [
    "AccessDenied",
    "InvalidArgument",
    "NoSuchBucket",
    "NoSuchKey",
    "NotImplemented",
    "PreconditionFailed",
  ],
  page: "DeleteObject",
  scope: "object",
  run,
};

/** The marker of a replica is nobody's yet, and shared with nobody. */
const NO_OBJECT = { facts: { owner: "", grants: [] }, tags: [] };

async function run(context: ObjectContext): Promise<Answer> {
  const { headers, receivedMs } = context.request;
  refuseManagedEncryption(headers);
  const versionId = requestedVersionId(context);
  const bypassGovernance = bypassesGovernance(context, context.keyText);
  const conditions = parseDeleteConditions(headers, receivedMs);
  await allowDeleteConditions(context, context.keyText, conditions);
  const { condition, header } = deleteCondition(conditions);
  const replica = isReplicaWrite(headers);
  if (replica) {
    const { bucket, keyText: key } = context;
    allow(context, { permission: "s3:ReplicateDelete", bucket, key, subject: NO_OBJECT });
  }
  const target = { key: context.key, versionId, condition, bypassGovernance, replica };
  const results = await deleteTargets(context, [target]);
  const result = present(results[0], "result");
  checkOutcome(result.outcome, "", header);
  // The version that was deleted, or the delete marker that was made.
  const named = versionId === CURRENT_VERSION ? result.versionId : versionId;
  const fields: HeaderField[] = result.deleteMarker ? [["x-amz-delete-marker", "true"]] : [];
  return emptyAnswer(204, [...fields, ...versionIdFields(versionIdText(named))]);
}
