// PutBucketOwnershipControls. ACLs cannot be switched off while the bucket's own list grants
// something to others.
import {
  checkOwnershipChange,
  ownershipDocument,
  parseOwnership,
} from "../../lib/s3/settings/ownership.ts";
import { bucketGrants } from "../data/bucket-acl.ts";
import { writingOperation } from "../data/setting-operations.ts";

export const putBucketOwnershipControls = writingOperation({
  name: "PutBucketOwnershipControls",
  query: "ownershipControls",
  permission: "s3:PutBucketOwnershipControls",
  setting: "ownership",
  errors: ["InvalidBucketAclWithObjectOwnership", "MalformedXML"],
  read: async ({ document }) => ownershipDocument(parseOwnership(document)),
  check: ({ gateway, document }, bucket) => {
    checkOwnershipChange(parseOwnership(document), bucketGrants(gateway, bucket), bucket.owner);
  },
});
