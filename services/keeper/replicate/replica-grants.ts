// Whom the list of a version lets in at its replica. Lists are carried within the cluster only, as
// names mean nobody, or somebody else, in another store; and as far as the destination bucket takes
// them. Source: Amazon S3 user guide, "What does Amazon S3 replicate?", "Changing the replica
// owner".
import { ROOT_GROUP } from "../../lib/clients/groups.ts";
import type { BucketRecord } from "../../lib/gen/dolium/record/v1/cluster_pb.ts";
import type { Version } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import { type AclGrant, isPublicAcl } from "../../lib/s3/settings/acl.ts";
import { fromAclRecord } from "../../lib/s3/settings/acl-record.ts";
import { parseOwnership } from "../../lib/s3/settings/ownership.ts";
import { parsePublicAccessBlock } from "../../lib/s3/settings/public-access-block.ts";
import type { ReplicationDestination } from "../../lib/s3/settings/replication.ts";
import { settingOf } from "../buckets/bucket-catalog.ts";
import type { KeeperDeps } from "../deps.ts";

/** Undefined: no list is carried. Throws StoreError. */
export async function replicaGrants(
  { metadata }: Pick<KeeperDeps, "metadata">,
  { acl }: Version,
  { place, ownedThere }: ReplicationDestination,
): Promise<readonly AclGrant[] | undefined> {
  if (acl === undefined || place.target !== undefined || ownedThere) return undefined;
  const kind = { case: "getBucket", value: { name: place.bucket } } as const;
  const { bucket } = await metadata.query(ROOT_GROUP, kind);
  if (bucket === undefined || !hasLists(bucket)) return undefined;
  const grants = fromAclRecord(acl);
  return blocksPublic(bucket) ? grants.filter((grant) => !isPublicAcl([grant])) : grants;
}

/** A bucket without ownership controls has them, as on AWS. */
function hasLists(bucket: BucketRecord): boolean {
  const document = settingOf(bucket, "ownership");
  return document === undefined || parseOwnership(document) !== "BucketOwnerEnforced";
}

function blocksPublic(bucket: BucketRecord): boolean {
  const document = settingOf(bucket, "public-access-block");
  return document !== undefined && parsePublicAccessBlock(document).blockPublicAcls;
}
