// Roles: what users, and accounts of identity providers, may become for a while. Changing them is
// for administrators alone.
import { create } from "@bufbuild/protobuf";
import * as Type from "../../../lib/base/settings-schema.ts";
import {
  type RoleRecord,
  RoleRecordSchema,
} from "../../../lib/gen/dolium/record/v1/identity_pb.ts";
import { type AdminAnswer, done, json } from "../admin-answer.ts";
import { type AdminContext, type AdminOperation, parameter, withBody } from "../admin-operation.ts";
import { PAGE_QUERY, page } from "../page.ts";
import { body, optional, PolicyDocument, ShortText } from "./field-schemas.ts";
import { deleting, editing, roleNamed } from "./lookups.ts";
import { checkedDocument } from "./policy-documents.ts";
import { documentView, inlinePolicyView, timeOf, type View } from "./user-view.ts";

export const SESSION_SECONDS_MIN = 900;
export const SESSION_SECONDS_MAX = 43_200;
export const SESSION_SECONDS = 3600;

const RoleBody = body({
  trustPolicy: PolicyDocument,
  description: optional(ShortText),
  sessionSecondsMax: optional(
    Type.Integer({ minimum: SESSION_SECONDS_MIN, maximum: SESSION_SECONDS_MAX }),
  ),
  boundary: optional(Type.String({ maxLength: 128 })),
});
const on = { kind: "role", parameter: "role" } as const;

export const ROLE_OPERATIONS: readonly AdminOperation[] = [
  {
    name: "ListRoles",
    method: "GET",
    path: "/roles",
    summary: "Every role, by name.",
    admission: { action: "iam:ListRoles" },
    query: PAGE_QUERY,
    run: async (context) => {
      const view = await context.deps.directory.view();
      return page(context, view.roles(), {
        nameOf: ({ name }) => name,
        view: (roles) => roles.map(roleView),
      });
    },
  },
  {
    name: "GetRole",
    method: "GET",
    path: "/roles/{role}",
    summary: "One role.",
    admission: { action: "iam:GetRole", on },
    run: async (context) => {
      const view = await context.deps.directory.view();
      return json(roleView(roleNamed(view, parameter(context, "role"))));
    },
  },
  withBody({
    name: "PutRole",
    method: "PUT",
    path: "/roles/{role}",
    summary: "Make a role, or change who may assume it.",
    admission: { action: "iam:CreateRole", on, administratorsOnly: true },
    body: RoleBody,
    run: putRole,
  }),
  {
    name: "DeleteRole",
    method: "DELETE",
    path: "/roles/{role}",
    summary: "Delete a role; its sessions end.",
    admission: { action: "iam:DeleteRole", on, administratorsOnly: true },
    run: async (context) => {
      const { edits, directory } = context.deps;
      const name = parameter(context, "role");
      roleNamed(await directory.view(), name);
      await deleting("Role", name, () => edits.deleteRole(name));
      await directory.refresh();
      return done();
    },
  },
];

function roleView(role: RoleRecord): View {
  return {
    name: role.name,
    description: role.description,
    createdAt: timeOf(role.createdMs),
    trustPolicy: documentView(role.trustPolicy),
    policies: role.policies.map(inlinePolicyView),
    attachedPolicies: role.attachedPolicies,
    sessionSecondsMax: role.sessionSecondsMax,
    boundary: role.boundary,
  };
}

async function putRole(
  context: AdminContext,
  wish: Type.Static<typeof RoleBody>,
): Promise<AdminAnswer> {
  const { edits, directory, clock } = context.deps;
  const name = parameter(context, "role");
  const trustPolicy = checkedDocument(wish.trustPolicy, "trust");
  const { description, sessionSecondsMax, boundary } = wish;
  const isNew = (await directory.view()).role(name) === undefined;
  const role = await editing("Role", name, () =>
    isNew
      ? edits.createRole(
          create(RoleRecordSchema, {
            name,
            description: description ?? "",
            trustPolicy,
            createdMs: BigInt(clock.wallMs()),
            sessionSecondsMax: sessionSecondsMax ?? SESSION_SECONDS,
            boundary: boundary ?? "",
          }),
        )
      : edits.changeRole(name, (before) => ({
          ...before,
          trustPolicy,
          description: description ?? before.description,
          sessionSecondsMax: sessionSecondsMax ?? before.sessionSecondsMax,
          boundary: boundary ?? before.boundary,
        })),
  );
  await directory.refresh();
  return json(roleView(role));
}
