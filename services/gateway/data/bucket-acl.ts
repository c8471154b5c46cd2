// Who may do what with a bucket as a whole: its access control list, its ownership controls, its
// public access block. A bucket without ownership controls has ACLs, as on AWS; new buckets always
// get controls, by setting. Source: Amazon S3 user guide, "Controlling ownership of objects and
// disabling ACLs", "Blocking public access".
import type { BucketRecord } from "../../lib/gen/dolium/record/v1/cluster_pb.ts";
import { S3Error } from "../../lib/s3/errors.ts";
import {
  type AclGrant,
  type AclHeaders,
  cannedGrants,
  isPublicAcl,
  parseStoredAcl,
  resolveGrants,
} from "../../lib/s3/settings/acl.ts";
import { type ObjectOwnership, parseOwnership } from "../../lib/s3/settings/ownership.ts";
import {
  type PublicAccessBlock,
  parsePublicAccessBlock,
} from "../../lib/s3/settings/public-access-block.ts";
import { callOptions, type Gateway, type ServiceContext } from "../operation.ts";
import type { SettingKind } from "./bucket-settings.ts";

const ACL: SettingKind<readonly AclGrant[]> = { name: "acl", parse: parseStoredAcl };
const OWNERSHIP: SettingKind<ObjectOwnership> = { name: "ownership", parse: parseOwnership };
const PUBLIC_ACCESS_BLOCK: SettingKind<PublicAccessBlock> = {
  name: "public-access-block",
  parse: parsePublicAccessBlock,
};
const NOTHING_BLOCKED: PublicAccessBlock = {
  blockPublicAcls: false,
  ignorePublicAcls: false,
  blockPublicPolicy: false,
  restrictPublicBuckets: false,
};

type Settings = Pick<Gateway, "bucketSettings">;

/** Who owns what others write, and whether ACLs count. */
export function bucketOwnership(gateway: Settings, bucket: BucketRecord): ObjectOwnership {
  return gateway.bucketSettings.read(bucket, OWNERSHIP) ?? "ObjectWriter";
}

export function publicAccessBlock(gateway: Settings, bucket: BucketRecord): PublicAccessBlock {
  return gateway.bucketSettings.read(bucket, PUBLIC_ACCESS_BLOCK) ?? NOTHING_BLOCKED;
}

/** The grants of the bucket as they count: its owner's alone where ACLs are off. */
export function bucketGrants(gateway: Settings, bucket: BucketRecord): readonly AclGrant[] {
  const isOff = bucketOwnership(gateway, bucket) === "BucketOwnerEnforced";
  const kept = isOff ? undefined : gateway.bucketSettings.read(bucket, ACL);
  return kept ?? ownersGrants(bucket.owner);
}

/** Full control for the owner, and nothing for anybody else. */
export function ownersGrants(ownerId: string): readonly AclGrant[] {
  return [{ grantee: { kind: "user", id: ownerId }, permission: "FULL_CONTROL" }];
}

/** True when the grants say nothing but that the owner has full control. */
export function isOwnersAlone(grants: readonly AclGrant[], ownerId: string): boolean {
  return (
    grants.length > 0 &&
    grants.every(
      ({ grantee, permission }) =>
        permission === "FULL_CONTROL" && grantee.kind === "user" && grantee.id === ownerId,
    )
  );
}

/**
 * The grants that headers of a request about a bucket stand for. Throws InvalidArgument,
 * UnresolvableGrantByEmailAddress.
 */
export async function grantsOfHeaders(
  context: ServiceContext,
  asked: Exclude<AclHeaders, { readonly kind: "none" }>,
  ownerId: string,
): Promise<readonly AclGrant[]> {
  return asked.kind === "canned"
    ? cannedGrants(asked.name, { ownerId, bucketOwnerId: ownerId, subject: "bucket" })
    : resolveGrants(asked.grants, context.gateway.people.resolver(callOptions(context)));
}

/** Throws AccessDenied where a public list is set and the bucket blocks those. */
export function refusePublicGrants(
  gateway: Settings,
  bucket: BucketRecord,
  grants: readonly AclGrant[],
): void {
  if (!isPublicAcl(grants) || !publicAccessBlock(gateway, bucket).blockPublicAcls) return;
  throw new S3Error("AccessDenied", "Public ACLs are blocked by the public access block.");
}
