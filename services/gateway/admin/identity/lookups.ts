// Entries of the directory by name, or the refusal that says which one is missing.

import { isStoreError } from "../../../lib/base/errors.ts";
import type {
  GroupRecord,
  ManagedPolicy,
  RoleRecord,
  UserRecord,
} from "../../../lib/gen/dolium/record/v1/identity_pb.ts";
import { ROOT_USER } from "../admin-access.ts";
import type { DirectoryView } from "../admin-dependencies.ts";
import { AdminError, notFound } from "../admin-error.ts";

/** Throws AdminError: 404 "NoSuchUser", 400 for the root user, who is not in the directory. */
export function userNamed(view: DirectoryView, name: string): UserRecord {
  const user = view.user(name);
  if (user !== undefined) return user;
  if (name === ROOT_USER) throw rootIsConfigured();
  throw notFound("NoSuchUser", `There is no user ${name}.`);
}

export function groupNamed(view: DirectoryView, name: string): GroupRecord {
  const group = view.group(name);
  if (group === undefined) throw notFound("NoSuchGroup", `There is no group ${name}.`);
  return group;
}

export function policyNamed(view: DirectoryView, name: string): ManagedPolicy {
  const policy = view.policy(name);
  if (policy === undefined) throw notFound("NoSuchPolicy", `There is no policy ${name}.`);
  return policy;
}

export function roleNamed(view: DirectoryView, name: string): RoleRecord {
  const role = view.role(name);
  if (role === undefined) throw notFound("NoSuchRole", `There is no role ${name}.`);
  return role;
}

export function rootIsConfigured(): AdminError {
  return new AdminError(
    400,
    "RootUser",
    "The root user is made by the configuration of the cluster and cannot be changed here.",
  );
}

type EntryKind = "User" | "Group" | "Policy" | "Role";

/** Runs a change of the directory; its refusals come out with the codes of the API. */
export async function editing<T>(
  what: EntryKind,
  name: string,
  edit: () => Promise<T>,
): Promise<T> {
  try {
    return await edit();
  } catch (cause) {
    if (isStoreError(cause, "not-found")) {
      throw new AdminError(404, `NoSuch${what}`, naming(name, cause.message), { cause });
    }
    if (isStoreError(cause, "exists")) {
      throw new AdminError(409, `${what}AlreadyExists`, naming(name, cause.message), { cause });
    }
    throw cause;
  }
}

/** As `editing`, for the deletion of an entry that others may still refer to. */
export async function deleting(
  what: EntryKind,
  name: string,
  edit: () => Promise<void>,
): Promise<void> {
  try {
    await editing(what, name, edit);
  } catch (cause) {
    if (!isStoreError(cause, "conflict")) throw cause;
    throw new AdminError(409, "DeleteConflict", `${name}: ${cause.message}`, { cause });
  }
}

/** The sentence, with the name where it lacks it. */
function naming(name: string, message: string): string {
  return message.includes(name) ? message : `${name}: ${message}`;
}
