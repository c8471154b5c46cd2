// What authorization knows of a bucket and of a version: owner, policy, grants, ownership, public
// access block. Documents are parsed once a revision of the bucket; one that cannot be read fails
// the request, and opens nothing.
import type { BucketRecord } from "../../../lib/gen/dolium/record/v1/cluster_pb.ts";
import type { Version } from "../../../lib/gen/dolium/record/v1/object_pb.ts";
import type { BucketFacts, ObjectFacts } from "../../../lib/iam/model.ts";
import { type BucketPolicy, parsePolicy } from "../../../lib/s3/settings/policy.ts";
import type { Tag } from "../../../lib/s3/xml-requests.ts";
import type { Gateway } from "../../operation.ts";
import { bucketGrants, bucketOwnership, publicAccessBlock } from "../bucket-acl.ts";
import { grantsOfVersion } from "../object-acl.ts";
import { tagsOf } from "../object-tags.ts";

type Settings = Pick<Gateway, "bucketSettings">;

/** The policy of the bucket, or undefined. Throws StoreError "corrupt". */
export function bucketPolicy(gateway: Settings, bucket: BucketRecord): BucketPolicy | undefined {
  const parse = (document: Uint8Array): BucketPolicy => parsePolicy(document, bucket.name);
  return gateway.bucketSettings.read(bucket, { name: "policy", parse });
}

/** Throws StoreError "corrupt". */
export function bucketFacts(gateway: Settings, bucket: BucketRecord): BucketFacts {
  return {
    name: bucket.name,
    owner: bucket.owner,
    policy: bucketPolicy(gateway, bucket),
    grants: bucketGrants(gateway, bucket),
    ownership: bucketOwnership(gateway, bucket),
    publicAccessBlock: publicAccessBlock(gateway, bucket),
  };
}

/** What is known of a version, or of an object that a write is about to make. */
export interface ObjectSubject {
  readonly facts: ObjectFacts;
  readonly tags: readonly Tag[];
}

/** Where ACLs are off, the bucket's owner owns every object of it. */
export function subjectOf(
  gateway: Settings,
  bucket: BucketRecord,
  version: Version,
): ObjectSubject {
  const isOff = bucketOwnership(gateway, bucket) === "BucketOwnerEnforced";
  const owner = isOff || version.owner === "" ? bucket.owner : version.owner;
  const grants = isOff ? [] : grantsOfVersion(version);
  return { facts: { owner, grants }, tags: tagsOf(version.tags) };
}
