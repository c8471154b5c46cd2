// Groups and their members. What changes rights is for administrators alone.
import { create } from "@bufbuild/protobuf";
import type * as Type from "../../../lib/base/settings-schema.ts";
import {
  type GroupRecord,
  GroupRecordSchema,
} from "../../../lib/gen/dolium/record/v1/identity_pb.ts";
import { type AdminAnswer, created, done, json } from "../admin-answer.ts";
import type { DirectoryView } from "../admin-dependencies.ts";
import { type AdminContext, type AdminOperation, parameter, withBody } from "../admin-operation.ts";
import { PAGE_QUERY, page } from "../page.ts";
import { body, Name } from "./field-schemas.ts";
import { deleting, editing, groupNamed, userNamed } from "./lookups.ts";
import { inlinePolicyView, timeOf, type View } from "./user-view.ts";
import { sorted } from "./users.ts";

const NewGroup = body({ name: Name });
const on = { kind: "group", parameter: "group" } as const;

export const GROUP_OPERATIONS: readonly AdminOperation[] = [
  {
    name: "ListGroups",
    method: "GET",
    path: "/groups",
    summary: "Every group, by name.",
    admission: { action: "iam:ListGroups" },
    query: PAGE_QUERY,
    run: async (context) => {
      const view = await context.deps.directory.view();
      return page(context, view.groups(), {
        nameOf: ({ name }) => name,
        view: (groups) => groups.map((group) => groupView(group, view)),
      });
    },
  },
  withBody({
    name: "CreateGroup",
    method: "POST",
    path: "/groups",
    summary: "Make a group.",
    admission: { action: "iam:CreateGroup", administratorsOnly: true },
    body: NewGroup,
    run: createGroup,
  }),
  {
    name: "GetGroup",
    method: "GET",
    path: "/groups/{group}",
    summary: "One group: members and policies.",
    admission: { action: "iam:GetGroup", on },
    run: async (context) => {
      const view = await context.deps.directory.view();
      return json(groupView(groupNamed(view, parameter(context, "group")), view));
    },
  },
  {
    name: "DeleteGroup",
    method: "DELETE",
    path: "/groups/{group}",
    summary: "Delete a group without members.",
    admission: { action: "iam:DeleteGroup", on, administratorsOnly: true },
    run: async (context) => {
      const { edits, directory } = context.deps;
      const name = parameter(context, "group");
      groupNamed(await directory.view(), name);
      await deleting("Group", name, () => edits.deleteGroup(name));
      await directory.refresh();
      return done();
    },
  },
  {
    name: "AddUserToGroup",
    method: "PUT",
    path: "/groups/{group}/members/{user}",
    summary: "Make a user a member; again is fine.",
    admission: { action: "iam:AddUserToGroup", on, administratorsOnly: true },
    run: (context) => setMember(context, true),
  },
  {
    name: "RemoveUserFromGroup",
    method: "DELETE",
    path: "/groups/{group}/members/{user}",
    summary: "Take a user out of a group.",
    admission: { action: "iam:RemoveUserFromGroup", on, administratorsOnly: true },
    run: (context) => setMember(context, false),
  },
];

export function groupView(group: GroupRecord, view: DirectoryView): View {
  return {
    name: group.name,
    createdAt: timeOf(group.createdMs),
    members: membersOf(group.name, view),
    policies: group.policies.map(inlinePolicyView),
    attachedPolicies: group.attachedPolicies,
  };
}

export function membersOf(group: string, view: DirectoryView): string[] {
  const members = [...view.users()].filter(({ groups }) => groups.includes(group));
  return members.map(({ name }) => name).sort();
}

async function createGroup(
  context: AdminContext,
  { name }: Type.Static<typeof NewGroup>,
): Promise<AdminAnswer> {
  const { edits, directory, clock } = context.deps;
  const record = create(GroupRecordSchema, { name, createdMs: BigInt(clock.wallMs()) });
  const made = await editing("Group", name, () => edits.createGroup(record));
  return created(groupView(made, await directory.refresh()));
}

async function setMember(context: AdminContext, isMember: boolean): Promise<AdminAnswer> {
  const { edits, directory } = context.deps;
  const group = parameter(context, "group");
  const name = parameter(context, "user");
  const view = await directory.view();
  groupNamed(view, group);
  userNamed(view, name);
  await editing("User", name, () =>
    edits.changeUser(name, (user) => ({
      ...user,
      groups: isMember
        ? sorted([...user.groups, group])
        : user.groups.filter((other) => other !== group),
    })),
  );
  await directory.refresh();
  return done();
}
