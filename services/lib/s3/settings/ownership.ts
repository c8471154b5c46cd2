// Object ownership of a bucket: who owns what others upload, and whether access control lists count
// at all. Parses PutBucketOwnershipControls and the header of CreateBucket, writes
// GetBucketOwnershipControls. Source: Amazon S3 user guide, "Controlling ownership of objects".
import { openDocument } from "../document-parts.ts";
import { invalidArgument, S3Error } from "../errors.ts";
import type { HeaderList } from "../headers.ts";
import { requiredChild, requiredChoice } from "../xml-fields.ts";
import { checkShape, parseXml } from "../xml-reader.ts";
import type { AclGrant, AclHeaders } from "./acl.ts";

const OWNERSHIPS = ["BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"] as const;
export type ObjectOwnership = (typeof OWNERSHIPS)[number];
/** What a new bucket has that asks for nothing else. */
export const DEFAULT_OWNERSHIP: ObjectOwnership = "BucketOwnerEnforced";

/** Parses the document: exactly one rule. Throws MalformedXML. */
export function parseOwnership(body: Uint8Array): ObjectOwnership {
  const root = parseXml(body);
  checkShape(root, "OwnershipControls", ["Rule"]);
  const rule = requiredChild(root, "Rule");
  checkShape(rule, "Rule", ["ObjectOwnership"]);
  return requiredChoice(rule, "ObjectOwnership", OWNERSHIPS);
}

/** x-amz-object-ownership; undefined without it. Throws InvalidArgument. */
export function parseOwnershipHeader(headers: HeaderList): ObjectOwnership | undefined {
  const text = headers.get("x-amz-object-ownership");
  if (text === undefined) return undefined;
  const ownership = OWNERSHIPS.find((known) => known === text);
  if (ownership !== undefined) return ownership;
  throw invalidArgument("Invalid x-amz-object-ownership header", "x-amz-object-ownership", text);
}

export function ownershipDocument(ownership: ObjectOwnership): string {
  const writer = openDocument("OwnershipControls").open("Rule");
  return writer
    .leaf("ObjectOwnership", ownership)
    .close("Rule")
    .close("OwnershipControls")
    .finish();
}

/**
 * Throws InvalidBucketAclWithObjectOwnership when ACLs shall go off while the bucket's list grants
 * something to others than its owner.
 */
export function checkOwnershipChange(
  ownership: ObjectOwnership,
  grants: readonly AclGrant[],
  ownerId: string,
): void {
  if (ownership !== "BucketOwnerEnforced") return;
  const isOwners = ({ grantee }: AclGrant): boolean =>
    grantee.kind === "user" && grantee.id === ownerId;
  if (!grants.every(isOwners)) throw new S3Error("InvalidBucketAclWithObjectOwnership");
}

/**
 * Throws AccessControlListNotSupported when ACLs are off and a write of an object asks for one that
 * means something: others than full control of the bucket's owner, which S3 lets pass, and
 * `private`, which older clients send with every write.
 */
export function checkAclHeadersAllowed(
  ownership: ObjectOwnership,
  acl: AclHeaders,
  bucketOwnerId: string,
): void {
  if (ownership !== "BucketOwnerEnforced" || acl.kind === "none") return;
  const isHarmless =
    acl.kind === "canned"
      ? acl.name === "private" || acl.name === "bucket-owner-full-control"
      : acl.grants.every(
          ({ grantee, permission }) =>
            permission === "FULL_CONTROL" &&
            grantee.kind === "id" &&
            grantee.value === bucketOwnerId,
        );
  if (!isHarmless) throw new S3Error("AccessControlListNotSupported");
}

/** Who owns a new object of `writerId`; `acl` is what the write asked for. */
export function objectOwner(
  ownership: ObjectOwnership,
  acl: AclHeaders,
  { writerId, bucketOwnerId }: { readonly writerId: string; readonly bucketOwnerId: string },
): string {
  if (ownership === "BucketOwnerEnforced") return bucketOwnerId;
  const handsOver = acl.kind === "canned" && acl.name === "bucket-owner-full-control";
  return ownership === "BucketOwnerPreferred" && handsOver ? bucketOwnerId : writerId;
}
