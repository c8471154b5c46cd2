// Roles, and who may assume them.
import { create } from "@bufbuild/protobuf";
import {
  type RoleRecord,
  RoleRecordSchema,
} from "../../../lib/gen/dolium/record/v1/identity_pb.ts";
import { AdminError } from "../admin-error.ts";
import { deleting, editing, roleNamed } from "../identity/lookups.ts";
import { checkedDocument } from "../identity/policy-documents.ts";
import { SESSION_SECONDS, SESSION_SECONDS_MAX } from "../identity/roles.ts";
import { namedBoundary } from "./boundary-actions.ts";
import { field, type IamAction, type IamCall, pageXml, roleXml } from "./iam-action.ts";
import type { XmlValue } from "./iam-xml.ts";

const on = { kind: "role", parameter: "role" } as const;
const subject = "RoleName";
const SECONDS_MIN = 3600;

export const ROLE_ACTIONS: readonly IamAction[] = [
  {
    name: "CreateRole",
    permission: { action: "iam:CreateRole", administratorsOnly: true },
    isWrite: true,
    run: createRole,
  },
  {
    name: "GetRole",
    subject,
    permission: { action: "iam:GetRole", on },
    isWrite: false,
    run: async ({ context, name }) => {
      const view = await context.deps.directory.view();
      return { Role: roleXml(roleNamed(view, name)) };
    },
  },
  {
    name: "ListRoles",
    permission: { action: "iam:ListRoles" },
    isWrite: false,
    run: async ({ context, form }) => {
      const view = await context.deps.directory.view();
      const nameOf = ({ name }: RoleRecord): string => name;
      return pageXml(form, view.roles(), { listName: "Roles", nameOf, show: roleXml });
    },
  },
  {
    name: "UpdateAssumeRolePolicy",
    subject,
    permission: { action: "iam:UpdateAssumeRolePolicy", on, administratorsOnly: true },
    isWrite: true,
    run: async ({ context, form, name }) => {
      const { edits, directory } = context.deps;
      const trustPolicy = checkedDocument(field(form, "PolicyDocument"), "trust");
      roleNamed(await directory.view(), name);
      await editing("Role", name, () =>
        edits.changeRole(name, (role) => ({ ...role, trustPolicy })),
      );
      await directory.refresh();
      return undefined;
    },
  },
  {
    name: "DeleteRole",
    subject,
    permission: { action: "iam:DeleteRole", on, administratorsOnly: true },
    isWrite: true,
    run: async ({ context, name }) => {
      const { edits, directory } = context.deps;
      roleNamed(await directory.view(), name);
      await deleting("Role", name, () => edits.deleteRole(name));
      await directory.refresh();
      return undefined;
    },
  },
];

async function createRole(call: IamCall): Promise<XmlValue> {
  const { context, form } = call;
  const { edits, directory, clock } = context.deps;
  const name = field(form, "RoleName");
  const record = create(RoleRecordSchema, {
    name,
    description: form.get("Description") ?? "",
    trustPolicy: checkedDocument(field(form, "AssumeRolePolicyDocument"), "trust"),
    createdMs: BigInt(clock.wallMs()),
    sessionSecondsMax: sessionSeconds(form),
    boundary: await namedBoundary(call, true),
  });
  const made = await editing("Role", name, () => edits.createRole(record));
  await directory.refresh();
  return { Role: roleXml(made) };
}

function sessionSeconds(form: URLSearchParams): number {
  const text = form.get("MaxSessionDuration");
  if (text === null) return SESSION_SECONDS;
  const seconds = /^[0-9]{1,6}$/.test(text) ? Number(text) : 0;
  if (seconds >= SECONDS_MIN && seconds <= SESSION_SECONDS_MAX) return seconds;
  const message = `MaxSessionDuration must be from ${SECONDS_MIN} to ${SESSION_SECONDS_MAX}.`;
  throw new AdminError(400, "ValidationError", message);
}
