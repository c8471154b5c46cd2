// Users: listed, made, changed, deleted. Whoever is no administrator makes plain users only, and of
// himself changes only how he is called.
import { create } from "@bufbuild/protobuf";
import * as Type from "../../../lib/base/settings-schema.ts";
import {
  type UserLimits,
  UserLimitsSchema,
  type UserRecord,
  UserRecordSchema,
} from "../../../lib/gen/dolium/record/v1/identity_pb.ts";
import { later } from "../../identity/session-start.ts";
import {
  authorize,
  callerName,
  checkTarget,
  isAdministrator,
  ROOT_USER,
  rootRecord,
} from "../admin-access.ts";
import { type AdminAnswer, created, done, json } from "../admin-answer.ts";
import { AdminError, accessDenied } from "../admin-error.ts";
import { type AdminContext, type AdminOperation, parameter, withBody } from "../admin-operation.ts";
import { PAGE_QUERY, page } from "../page.ts";
import { afterMs, endConsoleSessions } from "../sign-in/ended-sessions.ts";
import {
  AccessKeyId,
  body,
  Limits,
  type LimitsBody,
  Name,
  optional,
  PolicyDocument,
  SecretAccessKey,
  ShortText,
} from "./field-schemas.ts";
import { deleting, editing, userNamed } from "./lookups.ts";
import { newKey } from "./new-key.ts";
import { checkedDocument } from "./policy-documents.ts";
import { lastUses, userView } from "./user-view.ts";

const INLINE_NAME = "policy";

const NewUser = body({
  name: Name,
  displayName: optional(ShortText),
  email: optional(ShortText),
  administrator: optional(Type.Boolean()),
  parent: optional(Name),
  groups: optional(Type.Array(Name, { maxItems: 100 })),
  attachedPolicies: optional(Type.Array(Name, { maxItems: 50 })),
  boundary: optional(Name),
  limits: optional(Limits),
  policy: optional(PolicyDocument),
  accessKeyId: optional(AccessKeyId),
  secretAccessKey: optional(SecretAccessKey),
  withoutKey: optional(Type.Boolean({ description: "Make no access key." })),
});

const UserChange = body({
  displayName: optional(ShortText),
  email: optional(ShortText),
  disabled: optional(Type.Boolean()),
  administrator: optional(Type.Boolean()),
  boundary: optional(Type.String({ maxLength: 128 })),
  limits: optional(Limits),
});

type NewUserBody = Type.Static<typeof NewUser>;
type UserChangeBody = Type.Static<typeof UserChange>;

const onUser = { kind: "user", parameter: "user" } as const;

export const USER_OPERATIONS: readonly AdminOperation[] = [
  {
    name: "ListUsers",
    method: "GET",
    path: "/users",
    summary: "Every user, by name; users without the right to list see themselves.",
    admission: "caller",
    query: PAGE_QUERY,
    run: listUsers,
  },
  withBody({
    name: "CreateUser",
    method: "POST",
    path: "/users",
    summary: "Make a user, with an access key unless told otherwise; the secret is shown once.",
    admission: { action: "iam:CreateUser" },
    body: NewUser,
    run: createUser,
  }),
  {
    name: "GetUser",
    method: "GET",
    path: "/users/{user}",
    summary: "One user: keys, tokens, policies, limits, usage.",
    admission: { action: "iam:GetUser", on: onUser, self: true },
    run: getUser,
  },
  withBody({
    name: "UpdateUser",
    method: "PATCH",
    path: "/users/{user}",
    summary: "Change a user; what is not named stays.",
    admission: { action: "iam:UpdateUser", on: onUser, self: true },
    body: UserChange,
    run: updateUser,
  }),
  {
    name: "DeleteUser",
    method: "DELETE",
    path: "/users/{user}",
    summary: "Delete a user who owns no bucket and has no service account.",
    admission: { action: "iam:DeleteUser", on: onUser },
    run: deleteUser,
  },
  {
    name: "RevokeSessions",
    method: "POST",
    path: "/users/{user}/sessions/revoke",
    summary: "End every session of the user: temporary credentials and the console.",
    admission: { action: "dolium:RevokeSessions", on: onUser, self: true },
    run: revokeSessions,
  },
];

async function listUsers(context: AdminContext): Promise<AdminAnswer> {
  const view = await context.deps.directory.view();
  let users = [...view.users()];
  try {
    authorize(context, { action: "iam:ListUsers" });
  } catch (error) {
    if (!(error instanceof AdminError)) throw error;
    users = users.filter(({ name, parent }) => [name, parent].includes(callerName(context)));
  }
  return page(context, users, {
    nameOf: ({ name }) => name,
    view: async (shown) => {
      const uses = await lastUses(context.deps, shown);
      return shown.map((user) => userView(user, uses));
    },
  });
}

async function getUser(context: AdminContext): Promise<AdminAnswer> {
  const name = parameter(context, "user");
  const { deps } = context;
  const view = await deps.directory.view();
  const isRoot = name === ROOT_USER && view.user(name) === undefined;
  const user = isRoot ? rootRecord() : userNamed(view, name);
  const [uses, usage] = await Promise.all([lastUses(deps, [user]), deps.usageOf(name)]);
  return json({ ...userView(user, uses), usage });
}

async function createUser(context: AdminContext, wish: NewUserBody): Promise<AdminAnswer> {
  const { deps } = context;
  const { name } = wish;
  if (name === ROOT_USER) throw new AdminError(409, "UserAlreadyExists", "root is reserved.");
  if (!isAdministrator(context)) refuseRights(wish);
  const document = wish.policy === undefined ? undefined : checkedDocument(wish.policy);
  const key = wish.withoutKey === true ? undefined : newKey(deps, name, wish);
  const record = create(UserRecordSchema, {
    name,
    displayName: wish.displayName ?? "",
    email: (wish.email ?? "").toLowerCase(),
    createdMs: BigInt(deps.clock.wallMs()),
    administrator: wish.administrator ?? false,
    parent: wish.parent ?? "",
    groups: sorted(wish.groups),
    attachedPolicies: sorted(wish.attachedPolicies),
    boundary: wish.boundary ?? "",
    policies: document === undefined ? [] : [{ name: INLINE_NAME, document }],
    keys: key === undefined ? [] : [key.record],
    ...(wish.limits === undefined ? {} : { limits: limitsOf(undefined, wish.limits) }),
  });
  const made = await editing("User", name, () => deps.edits.createUser(record));
  await deps.directory.refresh();
  const shown = userView(made, new Map());
  if (key === undefined) return created(shown);
  const { accessKeyId } = key.record;
  return created({ ...shown, accessKeyId, secretAccessKey: key.secretAccessKey });
}

/** Throws AdminError 403 for a user that is more than a name and a key. */
function refuseRights(wish: NewUserBody): void {
  const { administrator, parent, groups, attachedPolicies, boundary, limits, policy } = wish;
  const rights = { parent, groups, attachedPolicies, boundary, limits, policy };
  const given = Object.entries(rights).find(([, value]) => value !== undefined)?.[0];
  if (administrator === true || given !== undefined) {
    throw accessDenied(`Only administrators may give a new user ${given ?? "administrator"}.`);
  }
}

async function updateUser(context: AdminContext, change: UserChangeBody): Promise<AdminAnswer> {
  const { deps } = context;
  const name = parameter(context, "user");
  const view = await deps.directory.view();
  checkTarget(context, view, userNamed(view, name));
  if (!isAdministrator(context)) refuseChange(context, name, change);
  const changed = await editing("User", name, () =>
    deps.edits.changeUser(name, (user) => withChange(user, change, deps.clock.wallMs())),
  );
  await deps.directory.refresh();
  return json(userView(changed, await lastUses(deps, [changed])));
}

/** Throws AdminError 403 for what only administrators change. */
function refuseChange(context: AdminContext, name: string, change: UserChangeBody): void {
  const { displayName: _shown, disabled, ...rest } = change;
  const given = Object.keys(rest)[0];
  if (given !== undefined) throw accessDenied(`Only administrators may change ${given}.`);
  if (disabled !== undefined && name === callerName(context)) {
    throw accessDenied("Nobody but administrators may switch himself on or off.");
  }
}

function withChange(user: UserRecord, change: UserChangeBody, nowMs: number): UserRecord {
  const { limits, email, ...fields } = change;
  // Sessions of who is switched off do not come back when he is switched on.
  const isEnd = change.disabled === true && !user.disabled;
  return {
    ...user,
    ...fields,
    ...(isEnd ? { sessionsFromMs: later(user.sessionsFromMs, afterMs(nowMs)) } : {}),
    ...(email === undefined ? {} : { email: email.toLowerCase() }),
    ...(limits === undefined ? {} : { limits: limitsOf(user.limits, limits) }),
  };
}

function limitsOf(before: UserLimits | undefined, change: LimitsBody): UserLimits {
  const limits = before ?? create(UserLimitsSchema);
  const { bytesMax, objectsMax, uploadBytesPerSecond, downloadBytesPerSecond, ...rest } = change;
  const wide = { bytesMax, objectsMax, uploadBytesPerSecond, downloadBytesPerSecond };
  const given = Object.entries(wide).flatMap(([field, value]) =>
    value === undefined ? [] : [[field, BigInt(value)] as const],
  );
  return { ...limits, ...rest, ...Object.fromEntries(given) };
}

async function deleteUser(context: AdminContext): Promise<AdminAnswer> {
  const { deps } = context;
  const name = parameter(context, "user");
  const view = await deps.directory.view();
  checkTarget(context, view, userNamed(view, name));
  if (name === callerName(context)) throw accessDenied("Nobody may delete himself.");
  await deleting("User", name, () => deps.edits.deleteUser(name));
  await deps.directory.refresh();
  return done();
}

async function revokeSessions(context: AdminContext): Promise<AdminAnswer> {
  const { deps } = context;
  const name = parameter(context, "user");
  const view = await deps.directory.view();
  if (name === ROOT_USER) {
    checkTarget(context, view, rootRecord());
    await endConsoleSessions(deps, name);
    return done();
  }
  checkTarget(context, view, userNamed(view, name));
  const sessionsFromMs = afterMs(deps.clock.wallMs());
  await editing("User", name, () =>
    deps.edits.changeUser(name, (user) => ({
      ...user,
      sessionsFromMs: later(user.sessionsFromMs, sessionsFromMs),
    })),
  );
  await deps.directory.refresh();
  return done();
}

export function sorted(names: readonly string[] | undefined): string[] {
  return [...new Set(names ?? [])].sort();
}
