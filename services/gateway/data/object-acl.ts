// Access control lists of objects, and who owns a new object, by the ownership setting of its
// bucket. Where the bucket's owner owns everything, only lists that change nothing are accepted.
// Source: Amazon S3 user guide, "Controlling ownership of objects and disabling ACLs".
import type { Acl, Version } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import type { HeaderList } from "../../lib/s3/headers.ts";
import {
  type AclGrant,
  type AclHeaders,
  cannedGrants,
  parseAclHeaders,
  resolveGrants,
} from "../../lib/s3/settings/acl.ts";
import { fromAclRecord, toAclRecord } from "../../lib/s3/settings/acl-record.ts";
import { checkAclHeadersAllowed, objectOwner } from "../../lib/s3/settings/ownership.ts";
import { type BucketContext, callOptions } from "../operation.ts";
import { callerId } from "./access/caller.ts";
import { bucketOwnership, refusePublicGrants } from "./bucket-acl.ts";

export type AclInit = Acl;

export interface OwnedAcl {
  readonly owner: string;
  /** Undefined: the owner has full control, and nobody else has anything. */
  readonly acl: AclInit | undefined;
}

/**
 * Owner and list of a new object, from x-amz-acl or x-amz-grant-*. Throws
 * AccessControlListNotSupported, AccessDenied (blocked), InvalidArgument, InvalidRequest,
 * UnresolvableGrantByEmailAddress.
 */
export async function aclOfWrite(context: BucketContext, headers: HeaderList): Promise<OwnedAcl> {
  const { gateway, bucket, identity } = context;
  const asked = parseAclHeaders(headers);
  const ownership = bucketOwnership(gateway, bucket);
  const isEnforced = ownership === "BucketOwnerEnforced";
  // What so many clients send by habit is what they get anyway.
  const isHarmless = asked.kind === "canned" && asked.name === "private";
  if (!isHarmless) checkAclHeadersAllowed(ownership, asked, bucket.owner);
  const owners = { writerId: callerId(identity), bucketOwnerId: bucket.owner };
  const owner = objectOwner(ownership, asked, owners);
  if (isEnforced || asked.kind === "none") return { owner, acl: undefined };
  const grants = await grantsOf(context, asked, owner);
  refusePublicGrants(gateway, bucket, grants);
  return { owner, acl: toAclRecord(grants) };
}

/** The grants that the headers of a request stand for. */
export async function grantsOf(
  context: BucketContext,
  asked: Exclude<AclHeaders, { kind: "none" }>,
  ownerId: string,
): Promise<readonly AclGrant[]> {
  const { bucket, gateway } = context;
  return asked.kind === "canned"
    ? cannedGrants(asked.name, { ownerId, bucketOwnerId: bucket.owner, subject: "object" })
    : resolveGrants(asked.grants, gateway.people.resolver(callOptions(context)));
}

/** The grants of a version: its list, or full control for its owner. */
export function grantsOfVersion({ acl, owner }: Version): readonly AclGrant[] {
  if (acl !== undefined) return fromAclRecord(acl);
  return [{ grantee: { kind: "user", id: owner }, permission: "FULL_CONTROL" }];
}
