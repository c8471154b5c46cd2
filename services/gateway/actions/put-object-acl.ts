// PutObjectAcl: replaces the access control list of a version, from a document or from headers.
import { XML_BYTES_MAX } from "../../lib/base/limits.ts";
import { S3Error } from "../../lib/s3/errors.ts";
import {
  type AclGrant,
  checkAclOwner,
  parseAcl,
  parseAclHeaders,
  resolveGrants,
} from "../../lib/s3/settings/acl.ts";
import { toAclRecord } from "../../lib/s3/settings/acl-record.ts";
import { type Answer, emptyAnswer } from "../answer.ts";
import { bucketOwnership, isOwnersAlone, refusePublicGrants } from "../data/bucket-acl.ts";
import { grantsOf } from "../data/object-acl.ts";
import { changeVersion } from "../data/version-change.ts";
import { requireVersion } from "../data/version-errors.ts";
import { versionIdFields } from "../data/version-id.ts";
import { callOptions, type ObjectContext, type ObjectOperation } from "../operation.ts";

export const putObjectAcl: ObjectOperation = {
  name: "PutObjectAcl",
  method: "PUT",
  match: { level: "object", query: ["acl"] },
  permission: "s3:PutObjectAcl",
  versionPermission: "s3:PutObjectVersionAcl",
  body: "xml",
  bodyBytesMax: XML_BYTES_MAX,
  errors: [
    "AccessControlListNotSupported",
    "InvalidArgument",
    "InvalidRequest",
    "MalformedACLError",
    "MethodNotAllowed",
    "MissingSecurityHeader",
    "NoSuchBucket",
    "NoSuchKey",
    "NoSuchVersion",
    "UnexpectedContent",
    "UnresolvableGrantByEmailAddress",
  ],
  page: "PutObjectAcl",
  scope: "object",
  settlesAccess: true,
  run,
};

async function run(context: ObjectContext): Promise<Answer> {
  const { gateway, bucket } = context;
  const { version } = await requireVersion(context);
  const grants = await requestedGrants(context, version.owner);
  if (bucketOwnership(gateway, bucket) === "BucketOwnerEnforced") {
    // Says what is so anyway, and changes nothing.
    if (isOwnersAlone(grants, bucket.owner)) return emptyAnswer(200);
    throw new S3Error("AccessControlListNotSupported");
  }
  refusePublicGrants(gateway, bucket, grants);
  const change = { case: "acl", value: toAclRecord(grants) } as const;
  const versionId = await changeVersion(context, change, "ObjectAcl:Put");
  return emptyAnswer(200, versionIdFields(versionId));
}

async function requestedGrants(
  context: ObjectContext,
  ownerId: string,
): Promise<readonly AclGrant[]> {
  const { request, document, gateway } = context;
  const asked = parseAclHeaders(request.headers);
  const hasDocument = document.byteLength > 0;
  if (asked.kind !== "none") {
    if (hasDocument) throw new S3Error("UnexpectedContent");
    return grantsOf(context, asked, ownerId);
  }
  if (!hasDocument) {
    throw new S3Error("MissingSecurityHeader", undefined, {
      details: [["MissingHeaderName", "x-amz-acl"]],
    });
  }
  const acl = parseAcl(document);
  checkAclOwner(acl, ownerId);
  return resolveGrants(acl.grants, gateway.people.resolver(callOptions(context)));
}
