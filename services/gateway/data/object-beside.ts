// What a write keeps beside its bytes and headers: owner, tags, lock, access control list. All of
// it is checked before the body is read.
import type { HeaderList } from "../../lib/s3/headers.ts";
import type { ObjectContext } from "../operation.ts";
import { allow, type Permission } from "./access/access-check.ts";
import { allowWriteCondition } from "./access/condition-rights.ts";
import { type AclInit, aclOfWrite } from "./object-acl.ts";
import { lockOfWrite, type ObjectLockInit } from "./object-lock.ts";
import { type TagInit, tagsOfWrite } from "./object-tags.ts";
import { isReplicaWrite, REPLICA_STATUS } from "./replica-writes.ts";

export interface BesideInit {
  readonly owner: string;
  readonly tags: TagInit[];
  readonly lock?: ObjectLockInit;
  readonly acl?: AclInit;
  readonly replication?: typeof REPLICA_STATUS;
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

export interface NewObject {
  readonly owner: string;
  /** Those of the request, or the fields of a form. */
  readonly headers: HeaderList;
  /** Condition keys that no header fills. */
  readonly fromBody?: ReadonlyMap<string, readonly string[]>;
}

/** Throws AccessDenied unless the caller has the permission for the key of a new object. */
export function allowNewObject(
  context: ObjectContext,
  permission: Permission,
  write: NewObject,
): void {
  const { bucket, keyText: key, request } = context;
  const headers = write.headers === request.headers ? undefined : write.headers;
  // What a write makes is not shared with anybody yet.
  const subject = { facts: { owner: write.owner, grants: [] }, tags: [] };
  allow(context, { permission, bucket, key, subject, headers, fromBody: write.fromBody });
}

/**
 * From the headers of a write. Throws AccessControlListNotSupported, AccessDenied, InvalidArgument,
 * InvalidTag, BadRequest (too many tags), InvalidRequest (lock in a bucket without object lock).
 * A condition on the object that is replaced needs the right to read it.
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
    if (headers.has(header)) allowNewObject(context, permission, { owner, headers });
  }
  const isReplica = isReplicaWrite(headers);
  if (isReplica) allowNewObject(context, "s3:ReplicateObject", { owner, headers });
  await allowWriteCondition(context, headers);
  return {
    owner,
    tags,
    ...(lock === undefined ? {} : { lock }),
    ...(acl === undefined ? {} : { acl }),
    ...(isReplica ? { replication: REPLICA_STATUS } : {}),
  };
}
