// PutBucketAcl: a document, a canned list or grants in headers, and exactly one of them. Where ACLs
// are off only the list that changes nothing is taken; public ones stop at the public access block.
import { XML_BYTES_MAX } from "../../lib/base/limits.ts";
import type { BucketRecord } from "../../lib/gen/dolium/record/v1/cluster_pb.ts";
import { S3Error } from "../../lib/s3/errors.ts";
import {
  type AclGrant,
  aclDocument,
  checkAclOwner,
  parseAcl,
  parseAclHeaders,
  resolveGrants,
} from "../../lib/s3/settings/acl.ts";
import { type Answer, emptyAnswer } from "../answer.ts";
import {
  bucketOwnership,
  grantsOfHeaders,
  isOwnersAlone,
  refusePublicGrants,
} from "../data/bucket-acl.ts";
import { changeBucket, settingChange } from "../data/bucket-settings.ts";
import { type BucketContext, type BucketOperation, callOptions } from "../operation.ts";

export const putBucketAcl: BucketOperation = {
  name: "PutBucketAcl",
  method: "PUT",
  match: { level: "bucket", query: ["acl"] },
  permission: "s3:PutBucketAcl",
  body: "xml",
  bodyBytesMax: XML_BYTES_MAX,
  errors: [
    "AccessControlListNotSupported",
    "InvalidArgument",
    "InvalidRequest",
    "MalformedACLError",
    "MissingSecurityHeader",
    "NoSuchBucket",
    "OperationAborted",
    "UnexpectedContent",
    "UnresolvableGrantByEmailAddress",
  ],
  page: "PutBucketAcl",
  scope: "bucket",
  fresh: true,
  run,
};

async function run(context: BucketContext): Promise<Answer> {
  const { gateway } = context;
  const grants = await askedGrants(context);
  const document = aclDocument({ ownerId: context.bucket.owner, grants });
  await changeBucket(context, (bucket) => {
    if (bucketOwnership(gateway, bucket) === "BucketOwnerEnforced") {
      refuseEffect(grants, bucket);
      return settingChange("acl", undefined);
    }
    refusePublicGrants(gateway, bucket, grants);
    return settingChange("acl", document);
  });
  return emptyAnswer(200);
}

async function askedGrants(context: BucketContext): Promise<readonly AclGrant[]> {
  const { request, document, bucket, gateway } = context;
  const asked = parseAclHeaders(request.headers);
  const hasBody = document.byteLength > 0;
  if (asked.kind !== "none") {
    if (hasBody) throw new S3Error("UnexpectedContent");
    return grantsOfHeaders(context, asked, bucket.owner);
  }
  if (!hasBody) {
    throw new S3Error("MissingSecurityHeader", undefined, {
      details: [["MissingHeaderName", "x-amz-acl"]],
    });
  }
  const acl = parseAcl(document);
  checkAclOwner(acl, bucket.owner);
  return resolveGrants(acl.grants, gateway.people.resolver(callOptions(context)));
}

function refuseEffect(grants: readonly AclGrant[], bucket: BucketRecord): void {
  if (!isOwnersAlone(grants, bucket.owner)) throw new S3Error("AccessControlListNotSupported");
}
