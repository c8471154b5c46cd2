// GetBucketAcl: the grants as they count.
import { aclDocument } from "../../lib/s3/settings/acl.ts";
import { type Answer, xmlAnswer } from "../answer.ts";
import { bucketGrants } from "../data/bucket-acl.ts";
import { shownOwner } from "../data/object-record.ts";
import {
  type BucketContext,
  type BucketOperation,
  callOptions,
  SMALL_BODY_BYTES_MAX,
} from "../operation.ts";

export const getBucketAcl: BucketOperation = {
  name: "GetBucketAcl",
  method: "GET",
  match: { level: "bucket", query: ["acl"] },
  permission: "s3:GetBucketAcl",
  body: "none",
  bodyBytesMax: SMALL_BODY_BYTES_MAX,
  errors: ["NoSuchBucket"],
  page: "GetBucketAcl",
  scope: "bucket",
  fresh: true,
  run,
};

async function run(context: BucketContext): Promise<Answer> {
  const { bucket, gateway } = context;
  await gateway.people.refresh(callOptions(context));
  const document = aclDocument({
    ownerId: bucket.owner,
    grants: bucketGrants(gateway, bucket),
    displayName: (id) => shownOwner(id, context).displayName,
  });
  return xmlAnswer(document);
}
