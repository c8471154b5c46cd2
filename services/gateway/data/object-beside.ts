// What a write keeps beside its bytes and headers: owner, tags, lock, access control list. All of
// it is checked before the body is read.
import type { HeaderList } from "../../lib/s3/headers.ts";
import type { ObjectContext } from "../operation.ts";
import { type AclInit, aclOfWrite } from "./object-acl.ts";
import { lockOfWrite, type ObjectLockInit } from "./object-lock.ts";
import { type TagInit, tagsOfWrite } from "./object-tags.ts";

export interface BesideInit {
  readonly owner: string;
  readonly tags: TagInit[];
  readonly lock?: ObjectLockInit;
  readonly acl?: AclInit;
}

/** What a header of a write needs besides the permission to write. */
const PERMISSIONS: readonly (readonly [header: string, permission: `s3:${string}`])[] = [
  ["x-amz-acl", "s3:PutObjectAcl"],
  ["x-amz-grant-full-control", "s3:PutObjectAcl"],
  ["x-amz-grant-read", "s3:PutObjectAcl"],
  ["x-amz-grant-read-acp", "s3:PutObjectAcl"],
  ["x-amz-grant-write-acp", "s3:PutObjectAcl"],
  ["x-amz-object-lock-legal-hold", "s3:PutObjectLegalHold"],
  ["x-amz-object-lock-mode", "s3:PutObjectRetention"],
  ["x-amz-tagging", "s3:PutObjectTagging"],
];

/** Throws AccessDenied unless the caller has the permission for the key. */
export function allowKey(
  { gateway, identity, bucket, keyText: key }: ObjectContext,
  permission: `s3:${string}`,
): void {
  gateway.authorizer.allow(identity, { permission, bucket, key });
}

/**
 * From the headers of a write. Throws AccessControlListNotSupported, AccessDenied, InvalidArgument,
 * InvalidTag, BadRequest (too many tags), InvalidRequest (lock in a bucket without object lock).
 */
export async function besideOfWrite(
  context: ObjectContext,
  headers: HeaderList,
): Promise<BesideInit> {
  const { bucket, request, gateway } = context;
  const { owner, acl } = await aclOfWrite(context, headers);
  const lock = lockOfWrite(bucket, headers, request.receivedMs);
  const tags = tagsOfWrite(gateway, headers);
  for (const [header, permission] of PERMISSIONS) {
    if (headers.has(header)) allowKey(context, permission);
  }
  return {
    owner,
    tags,
    ...(lock === undefined ? {} : { lock }),
    ...(acl === undefined ? {} : { acl }),
  };
}
