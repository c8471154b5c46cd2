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

/**
 * From the headers of a write. Throws AccessControlListNotSupported, InvalidArgument, InvalidTag,
 * BadRequest (too many tags), InvalidRequest (lock in a bucket without object lock).
 */
export async function besideOfWrite(
  context: ObjectContext,
  headers: HeaderList,
): Promise<BesideInit> {
  const { bucket, request, gateway } = context;
  const { owner, acl } = await aclOfWrite(context, headers);
  const lock = lockOfWrite(bucket, headers, request.receivedMs);
  return {
    owner,
    tags: tagsOfWrite(gateway, headers),
    ...(lock === undefined ? {} : { lock }),
    ...(acl === undefined ? {} : { acl }),
  };
}
