// Access control lists between the form of this library and the stored record. Unknown values of a
// record are dropped, never widened: a grant nobody understands grants nothing.
import { create } from "@bufbuild/protobuf";
import {
  type Acl,
  AclSchema,
  type Grant,
  Grant_Permission,
  GrantSchema,
} from "../../gen/dolium/record/v1/object_pb.ts";
import type { AclGrant, AclPermission, Grantee } from "./acl.ts";

const PERMISSIONS: readonly (readonly [AclPermission, Grant_Permission])[] = [
  ["FULL_CONTROL", Grant_Permission.FULL_CONTROL],
  ["WRITE", Grant_Permission.WRITE],
  ["WRITE_ACP", Grant_Permission.WRITE_ACP],
  ["READ", Grant_Permission.READ],
  ["READ_ACP", Grant_Permission.READ_ACP],
];

export function toAclRecord(grants: readonly AclGrant[]): Acl {
  return create(AclSchema, { grants: grants.map(toGrantRecord) });
}

function toGrantRecord({ grantee, permission }: AclGrant): Grant {
  const stored = PERMISSIONS.find(([name]) => name === permission);
  return create(GrantSchema, {
    permission: stored?.[1] ?? Grant_Permission.PERMISSION_UNSPECIFIED,
    grantee:
      grantee.kind === "user"
        ? { case: "user", value: grantee.id }
        : { case: "group", value: grantee.uri },
  });
}

export function fromAclRecord(acl: Acl): readonly AclGrant[] {
  return acl.grants.flatMap((grant) => {
    const permission = PERMISSIONS.find(([, stored]) => stored === grant.permission)?.[0];
    const grantee = fromGrantee(grant);
    return permission === undefined || grantee === undefined ? [] : [{ grantee, permission }];
  });
}

function fromGrantee({ grantee }: Grant): Grantee | undefined {
  if (grantee.case === "user") return { kind: "user", id: grantee.value };
  return grantee.case === "group" ? { kind: "group", uri: grantee.value } : undefined;
}
