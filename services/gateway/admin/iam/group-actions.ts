// Groups and their members.
import { create } from "@bufbuild/protobuf";
import {
  type GroupRecord,
  GroupRecordSchema,
} from "../../../lib/gen/dolium/record/v1/identity_pb.ts";
import { membersOf } from "../identity/groups.ts";
import { deleting, editing, groupNamed, userNamed } from "../identity/lookups.ts";
import { sorted } from "../identity/users.ts";
import { field, groupXml, type IamAction, type IamCall, pageXml, userXml } from "./iam-action.ts";
import type { XmlValue } from "./iam-xml.ts";

const on = { kind: "group", parameter: "group" } as const;
const subject = "GroupName";
const nameOf = ({ name }: { readonly name: string }): string => name;

export const GROUP_ACTIONS: readonly IamAction[] = [
  {
    name: "CreateGroup",
    permission: { action: "iam:CreateGroup", administratorsOnly: true },
    isWrite: true,
    run: createGroup,
  },
  {
    name: "GetGroup",
    subject,
    permission: { action: "iam:GetGroup", on },
    isWrite: false,
    run: getGroup,
  },
  {
    name: "ListGroups",
    permission: { action: "iam:ListGroups" },
    isWrite: false,
    run: async ({ context, form }) => {
      const view = await context.deps.directory.view();
      return pageXml(form, view.groups(), { listName: "Groups", nameOf, show: groupXml });
    },
  },
  {
    name: "DeleteGroup",
    subject,
    permission: { action: "iam:DeleteGroup", on, administratorsOnly: true },
    isWrite: true,
    run: async ({ context, name }) => {
      const { edits, directory } = context.deps;
      groupNamed(await directory.view(), name);
      await deleting("Group", name, () => edits.deleteGroup(name));
      await directory.refresh();
      return undefined;
    },
  },
  {
    name: "AddUserToGroup",
    subject,
    permission: { action: "iam:AddUserToGroup", on, administratorsOnly: true },
    isWrite: true,
    run: (call) => setMember(call, true),
  },
  {
    name: "RemoveUserFromGroup",
    subject,
    permission: { action: "iam:RemoveUserFromGroup", on, administratorsOnly: true },
    isWrite: true,
    run: (call) => setMember(call, false),
  },
  {
    name: "ListGroupsForUser",
    subject: "UserName",
    permission: {
      action: "iam:ListGroupsForUser",
      on: { kind: "user", parameter: "user" },
      self: true,
    },
    isWrite: false,
    run: groupsOfUser,
  },
];

async function createGroup({ context, form }: IamCall): Promise<XmlValue> {
  const { edits, directory, clock } = context.deps;
  const name = field(form, "GroupName");
  const record = create(GroupRecordSchema, { name, createdMs: BigInt(clock.wallMs()) });
  const made = await editing("Group", name, () => edits.createGroup(record));
  await directory.refresh();
  return { Group: groupXml(made) };
}

async function getGroup({ context, form, name }: IamCall): Promise<XmlValue> {
  const view = await context.deps.directory.view();
  const group = groupNamed(view, name);
  const members = membersOf(name, view).map((member) => userNamed(view, member));
  return {
    Group: groupXml(group),
    ...pageXml(form, members, { listName: "Users", nameOf, show: userXml }),
  };
}

async function setMember({ context, form, name }: IamCall, isMember: boolean): Promise<undefined> {
  const { edits, directory } = context.deps;
  const member = field(form, "UserName");
  const view = await directory.view();
  groupNamed(view, name);
  userNamed(view, member);
  await editing("User", member, () =>
    edits.changeUser(member, (user) => ({
      ...user,
      groups: isMember
        ? sorted([...user.groups, name])
        : user.groups.filter((other) => other !== name),
    })),
  );
  await directory.refresh();
  return undefined;
}

async function groupsOfUser({ context, form, name }: IamCall): Promise<XmlValue> {
  const view = await context.deps.directory.view();
  const groups = userNamed(view, name)
    .groups.map((group) => view.group(group))
    .filter((group): group is GroupRecord => group !== undefined);
  return pageXml(form, groups, { listName: "Groups", nameOf, show: groupXml });
}
