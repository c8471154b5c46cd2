// Permissions boundaries of users and roles: the managed policy beyond which nothing is allowed to
// them, whatever else says so.
import { editing, policyNamed, roleNamed, userNamed } from "../identity/lookups.ts";
import { field, type IamAction, type IamCall } from "./iam-action.ts";
import { lastOfArn } from "./query-protocol.ts";

type Change = (call: IamCall, boundary: string) => Promise<void>;

const USER = { subject: "UserName", on: { kind: "user", parameter: "user" } } as const;
const ROLE = { subject: "RoleName", on: { kind: "role", parameter: "role" } } as const;

export const BOUNDARY_ACTIONS: readonly IamAction[] = [
  ...rowsOf("User", USER, changeUser),
  ...rowsOf("Role", ROLE, changeRole),
];

function rowsOf(word: "User" | "Role", kind: typeof USER | typeof ROLE, change: Change) {
  const { subject, on } = kind;
  const row = (name: `${"Put" | "Delete"}${typeof word}PermissionsBoundary`) => ({
    name,
    subject,
    permission: { action: `iam:${name}`, on, administratorsOnly: true } as const,
    isWrite: true,
  });
  return [
    {
      ...row(`Put${word}PermissionsBoundary`),
      run: async (call: IamCall) => {
        await change(call, await namedBoundary(call));
        return undefined;
      },
    },
    {
      ...row(`Delete${word}PermissionsBoundary`),
      run: async (call: IamCall) => {
        await change(call, "");
        return undefined;
      },
    },
  ];
}

/**
 * The name of the policy whose ARN the field PermissionsBoundary holds; "" where it may be missing,
 * and is. Throws AdminError 400, 404.
 */
export async function namedBoundary(
  { context, form }: IamCall,
  isOptional = false,
): Promise<string> {
  if (isOptional && form.get("PermissionsBoundary") === null) return "";
  const name = lastOfArn(field(form, "PermissionsBoundary"));
  return policyNamed(await context.deps.directory.view(), name).name;
}

async function changeUser({ context, name }: IamCall, boundary: string): Promise<void> {
  const { edits, directory } = context.deps;
  userNamed(await directory.view(), name);
  await editing("User", name, () => edits.changeUser(name, (user) => ({ ...user, boundary })));
  await directory.refresh();
}

async function changeRole({ context, name }: IamCall, boundary: string): Promise<void> {
  const { edits, directory } = context.deps;
  roleNamed(await directory.view(), name);
  await editing("Role", name, () => edits.changeRole(name, (role) => ({ ...role, boundary })));
  await directory.refresh();
}
