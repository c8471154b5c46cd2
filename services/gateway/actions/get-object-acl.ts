// GetObjectAcl: the access control list of a version; without one, its owner has full control.
import { aclDocument } from "../../lib/s3/settings/acl.ts";
import { type Answer, xmlAnswer } from "../answer.ts";
import { grantsOfVersion } from "../data/object-acl.ts";
import { shownOwner } from "../data/object-record.ts";
import { requireVersion } from "../data/version-errors.ts";
import { shownVersionId, versionIdFields } from "../data/version-id.ts";
import {
  callOptions,
  type ObjectContext,
  type ObjectOperation,
  SMALL_BODY_BYTES_MAX,
} from "../operation.ts";

export const getObjectAcl: ObjectOperation = {
  name: "GetObjectAcl",
  method: "GET",
  match: { level: "object", query: ["acl"] },
  permission: "s3:GetObjectAcl",
  versionPermission: "s3:GetObjectVersionAcl",
  body: "none",
  bodyBytesMax: SMALL_BODY_BYTES_MAX,
  errors: ["MethodNotAllowed", "NoSuchBucket", "NoSuchKey", "NoSuchVersion"],
  page: "GetObjectAcl",
  scope: "object",
  settlesAccess: true,
  run,
};

async function run(context: ObjectContext): Promise<Answer> {
  const { bucket, gateway } = context;
  const { version } = await requireVersion(context);
  await gateway.people.refresh(callOptions(context));
  const document = aclDocument({
    ownerId: version.owner,
    grants: grantsOfVersion(version),
    displayName: (id) => shownOwner(id, context).displayName,
  });
  return xmlAnswer(document, versionIdFields(shownVersionId(bucket, version)));
}
