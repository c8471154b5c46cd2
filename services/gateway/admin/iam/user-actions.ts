// Users and their access keys. A user made here has no key until one is made, as on AWS.
import { create } from "@bufbuild/protobuf";
import {
  type UserRecord,
  UserRecordSchema,
} from "../../../lib/gen/dolium/record/v1/identity_pb.ts";
import {
  authorize,
  callerName,
  checkTarget,
  isAdministrator,
  ROOT_USER,
  rootRecord,
} from "../admin-access.ts";
import { AdminError, accessDenied, notFound } from "../admin-error.ts";
import type { AdminContext } from "../admin-operation.ts";
import { deleting, editing, userNamed } from "../identity/lookups.ts";
import { newKey } from "../identity/new-key.ts";
import { lastUses } from "../identity/user-view.ts";
import { namedBoundary } from "./boundary-actions.ts";
import {
  dateOf,
  field,
  type IamAction,
  type IamCall,
  pageXml,
  pathField,
  pathOf,
  userXml,
} from "./iam-action.ts";
import type { XmlValue } from "./iam-xml.ts";

const on = { kind: "user", parameter: "user" } as const;
const subject = "UserName";

export const USER_ACTIONS: readonly IamAction[] = [
  {
    name: "CreateUser",
    permission: { action: "iam:CreateUser" },
    isWrite: true,
    run: createUser,
  },
  {
    name: "GetUser",
    subject,
    permission: { action: "iam:GetUser", on, self: true },
    isWrite: false,
    run: async (call) => ({ User: userXml(await shownUser(call)) }),
  },
  {
    name: "ListUsers",
    permission: { action: "iam:ListUsers" },
    isWrite: false,
    run: async ({ context, form }) => {
      const view = await context.deps.directory.view();
      const show = { listName: "Users", nameOf: ({ name }: UserRecord) => name, show: userXml };
      const prefix = form.get("PathPrefix") ?? "/";
      const users = [...view.users()].filter((user) => pathOf(user).startsWith(prefix));
      return pageXml(form, users, show);
    },
  },
  {
    name: "UpdateUser",
    subject,
    permission: { action: "iam:UpdateUser", on },
    isWrite: true,
    run: updateUser,
  },
  {
    name: "DeleteUser",
    subject,
    permission: { action: "iam:DeleteUser", on },
    isWrite: true,
    run: deleteUser,
  },
  {
    name: "CreateAccessKey",
    subject,
    permission: { action: "iam:CreateAccessKey", on, self: true },
    isWrite: true,
    run: createAccessKey,
  },
  {
    name: "ListAccessKeys",
    subject,
    permission: { action: "iam:ListAccessKeys", on, self: true },
    isWrite: false,
    run: listAccessKeys,
  },
  {
    name: "UpdateAccessKey",
    subject,
    permission: { action: "iam:UpdateAccessKey", on, self: true },
    isWrite: true,
    run: updateAccessKey,
  },
  {
    name: "DeleteAccessKey",
    subject,
    permission: { action: "iam:DeleteAccessKey", on, self: true },
    isWrite: true,
    run: deleteAccessKey,
  },
  {
    name: "GetAccessKeyLastUsed",
    permission: { action: "iam:GetUser", on, self: true },
    isWrite: false,
    run: getAccessKeyLastUsed,
  },
];

async function shownUser({ context, name }: IamCall): Promise<UserRecord> {
  const view = await context.deps.directory.view();
  if (name === ROOT_USER && view.user(name) === undefined) return rootRecord();
  return userNamed(view, name);
}

async function createUser(call: IamCall): Promise<XmlValue> {
  const { context, form } = call;
  const { edits, directory, clock } = context.deps;
  const name = field(form, "UserName");
  if (name === ROOT_USER) throw new AdminError(409, "UserAlreadyExists", "root is reserved.");
  const path = pathField(form, "Path") ?? "";
  const boundary = await namedBoundary(call, true);
  if (boundary !== "" && !isAdministrator(context)) {
    throw accessDenied("Only administrators may give a new user a boundary.");
  }
  const createdMs = BigInt(clock.wallMs());
  const record = create(UserRecordSchema, { name, path, createdMs, boundary });
  const made = await editing("User", name, () => edits.createUser(record));
  await directory.refresh();
  return { User: userXml(made) };
}

/** Owners, grants and policies hold the name: another name is another user. */
async function updateUser(call: IamCall): Promise<undefined> {
  const { form, name } = call;
  const newName = form.get("NewUserName") ?? name;
  if (newName !== name) {
    const message = "Names of users never change: create a user of the new name instead.";
    throw new AdminError(400, "ValidationError", message);
  }
  const path = pathField(form, "NewPath");
  await changeUser(call, (user) => ({ ...user, path: path ?? user.path }));
  return undefined;
}

async function changeUser(
  { context, name }: IamCall,
  change: (user: UserRecord) => UserRecord,
): Promise<void> {
  const { edits, directory } = context.deps;
  const view = await directory.view();
  checkTarget(context, view, userNamed(view, name));
  await editing("User", name, () => edits.changeUser(name, change));
  await directory.refresh();
}

async function deleteUser({ context, name }: IamCall): Promise<undefined> {
  const { edits, directory } = context.deps;
  const view = await directory.view();
  const user = userNamed(view, name);
  checkTarget(context, view, user);
  if (name === callerName(context)) throw accessDenied("Nobody may delete himself.");
  // As AWS: whoever deletes by IAM takes everything off the user first.
  const { keys, groups, policies, attachedPolicies } = user;
  if (keys.length + groups.length + policies.length + attachedPolicies.length > 0) {
    const message = "The user has access keys, groups or policies: remove them first.";
    throw new AdminError(409, "DeleteConflict", message);
  }
  await deleting("User", name, () => edits.deleteUser(name));
  await directory.refresh();
  return undefined;
}

async function createAccessKey(call: IamCall): Promise<XmlValue> {
  const { deps } = call.context;
  const { record, secretAccessKey } = newKey(deps, call.name, {});
  await changeUser(call, (user) => ({ ...user, keys: [...user.keys, record] }));
  return {
    AccessKey: {
      UserName: call.name,
      AccessKeyId: record.accessKeyId,
      Status: "Active",
      SecretAccessKey: secretAccessKey,
      CreateDate: dateOf(record.createdMs),
    },
  };
}

async function listAccessKeys({ context, form, name }: IamCall): Promise<XmlValue> {
  const view = await context.deps.directory.view();
  const user = userNamed(view, name);
  const page = pageXml(form, user.keys, {
    listName: "AccessKeyMetadata",
    nameOf: ({ accessKeyId }) => accessKeyId,
    show: ({ accessKeyId, disabled, createdMs }) => ({
      UserName: name,
      AccessKeyId: accessKeyId,
      Status: disabled ? "Inactive" : "Active",
      CreateDate: dateOf(createdMs),
    }),
  });
  return { UserName: name, ...page };
}

async function updateAccessKey(call: IamCall): Promise<undefined> {
  const id = field(call.form, "AccessKeyId");
  const status = field(call.form, "Status");
  if (status !== "Active" && status !== "Inactive") {
    throw new AdminError(400, "ValidationError", "Status must be Active or Inactive.");
  }
  await changeUser(call, (user) => {
    checkKey(user, id);
    const disabled = status === "Inactive";
    const keys = user.keys.map((key) => (key.accessKeyId === id ? { ...key, disabled } : key));
    return { ...user, keys };
  });
  return undefined;
}

async function deleteAccessKey(call: IamCall): Promise<undefined> {
  const id = field(call.form, "AccessKeyId");
  await changeUser(call, (user) => {
    checkKey(user, id);
    return { ...user, keys: user.keys.filter(({ accessKeyId }) => accessKeyId !== id) };
  });
  return undefined;
}

function checkKey({ keys, name }: UserRecord, id: string): void {
  if (keys.some(({ accessKeyId }) => accessKeyId === id)) return;
  throw notFound("NoSuchAccessKey", `There is no access key ${id} of ${name}.`);
}

async function getAccessKeyLastUsed({ context, form }: IamCall): Promise<XmlValue> {
  const { deps } = context;
  const id = field(form, "AccessKeyId");
  const user = (await deps.directory.view()).byAccessKey(id)?.user;
  // Whoever may not see the user does not learn whether the key exists.
  const asked: AdminContext = { ...context, parameters: { user: user?.name ?? "-" } };
  authorize(asked, { action: "iam:GetAccessKeyLastUsed", on, self: true });
  if (user === undefined) throw notFound("NoSuchAccessKey", `There is no access key ${id}.`);
  const use = (await lastUses(deps, [user])).get(id);
  const used = use === undefined ? undefined : dateOf(use.usedMs);
  const [service = "N/A"] = (use?.action ?? "N/A").split(":");
  return {
    UserName: user.name,
    AccessKeyLastUsed: { LastUsedDate: used, ServiceName: service, Region: "N/A" },
  };
}
