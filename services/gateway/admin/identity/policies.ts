// Policies: those of a user or group itself, managed ones with a name, and who they are attached
// to. Changing any of them is for administrators alone.
import { create } from "@bufbuild/protobuf";
import type * as Type from "../../../lib/base/settings-schema.ts";
import {
  type GroupRecord,
  type ManagedPolicy,
  ManagedPolicySchema,
  NamedPolicySchema,
  type RoleRecord,
  type UserRecord,
} from "../../../lib/gen/dolium/record/v1/identity_pb.ts";
import { type AdminAnswer, done, json } from "../admin-answer.ts";
import type { AdminDependencies, DirectoryView } from "../admin-dependencies.ts";
import { notFound } from "../admin-error.ts";
import { type AdminContext, type AdminOperation, parameter, withBody } from "../admin-operation.ts";
import { PAGE_QUERY, page } from "../page.ts";
import { body, optional, PolicyDocument, ShortText } from "./field-schemas.ts";
import { deleting, editing, groupNamed, policyNamed, roleNamed, userNamed } from "./lookups.ts";
import { checkedDocument } from "./policy-documents.ts";
import { documentView, timeOf, type View } from "./user-view.ts";
import { sorted } from "./users.ts";

const InlineBody = body({ document: PolicyDocument });
const ManagedBody = body({ document: PolicyDocument, description: optional(ShortText) });
const on = { kind: "policy", parameter: "policy" } as const;

/** Kinds of entries that have policies. */
export type Holder = "user" | "group" | "role";
type Policied = Pick<UserRecord, "policies" | "attachedPolicies">;

const WORDS = { user: "User", group: "Group", role: "Role" } as const;

export const POLICY_OPERATIONS: readonly AdminOperation[] = [
  ...holderOperations("user"),
  ...holderOperations("group"),
  ...holderOperations("role"),
  {
    name: "ListPolicies",
    method: "GET",
    path: "/policies",
    summary: "Every managed policy, by name.",
    admission: { action: "iam:ListPolicies" },
    query: PAGE_QUERY,
    run: async (context) => {
      const view = await context.deps.directory.view();
      return page(context, view.policies(), {
        nameOf: ({ name }) => name,
        view: (policies) => policies.map((policy) => managedView(policy, view)),
      });
    },
  },
  {
    name: "GetPolicy",
    method: "GET",
    path: "/policies/{policy}",
    summary: "One managed policy.",
    admission: { action: "iam:GetPolicy", on },
    run: async (context) => {
      const view = await context.deps.directory.view();
      return json(managedView(policyNamed(view, parameter(context, "policy")), view));
    },
  },
  withBody({
    name: "PutPolicy",
    method: "PUT",
    path: "/policies/{policy}",
    summary: "Make a managed policy, or replace its document.",
    admission: { action: "iam:CreatePolicy", on, administratorsOnly: true },
    body: ManagedBody,
    run: putManaged,
  }),
  {
    name: "DeletePolicy",
    method: "DELETE",
    path: "/policies/{policy}",
    summary: "Delete a managed policy that is attached to nobody.",
    admission: { action: "iam:DeletePolicy", on, administratorsOnly: true },
    run: async (context) => {
      const { edits, directory } = context.deps;
      const name = parameter(context, "policy");
      policyNamed(await directory.view(), name);
      await deleting("Policy", name, () => edits.deletePolicy(name));
      await directory.refresh();
      return done();
    },
  },
];

function holderOperations(kind: Holder): readonly AdminOperation[] {
  const word = WORDS[kind];
  const holder = { on: { kind, parameter: kind }, administratorsOnly: true } as const;
  const path = `/${kind}s/{${kind}}`;
  return [
    withBody({
      name: `Put${word}Policy`,
      method: "PUT",
      path: `${path}/policies/{policy}`,
      summary: `Put a policy into a ${kind}.`,
      admission: { action: `iam:Put${word}Policy`, ...holder },
      body: InlineBody,
      run: (context, { document }) =>
        changed(context, kind, putInline(parameter(context, "policy"), checkedDocument(document))),
    }),
    {
      name: `Delete${word}Policy`,
      method: "DELETE",
      path: `${path}/policies/{policy}`,
      summary: `Take a policy out of a ${kind}.`,
      admission: { action: `iam:Delete${word}Policy`, ...holder },
      run: (context) => changed(context, kind, withoutInline(parameter(context, "policy"))),
    },
    {
      name: `Attach${word}Policy`,
      method: "PUT",
      path: `${path}/attached/{policy}`,
      summary: `Attach a managed policy to a ${kind}; again is fine.`,
      admission: { action: `iam:Attach${word}Policy`, ...holder },
      run: (context) => attach(context, kind),
    },
    {
      name: `Detach${word}Policy`,
      method: "DELETE",
      path: `${path}/attached/{policy}`,
      summary: `Detach a managed policy from a ${kind}.`,
      admission: { action: `iam:Detach${word}Policy`, ...holder },
      run: (context) => changed(context, kind, withoutAttached(parameter(context, "policy"))),
    },
  ];
}

async function attach(context: AdminContext, kind: Holder): Promise<AdminAnswer> {
  const policy = parameter(context, "policy");
  policyNamed(await context.deps.directory.view(), policy);
  return changed(context, kind, withAttached(policy));
}

async function changed(
  context: AdminContext,
  kind: Holder,
  change: PolicyChange,
): Promise<AdminAnswer> {
  await changePolicies(context.deps, { kind, name: parameter(context, kind) }, change);
  return done();
}

export type PolicyChange = (before: Policied) => Policied;

/** Puts `change` into force for a user, group or role, visible here before it resolves. */
export async function changePolicies(
  { edits, directory }: Pick<AdminDependencies, "edits" | "directory">,
  { kind, name }: { readonly kind: Holder; readonly name: string },
  change: PolicyChange,
): Promise<void> {
  const view = await directory.view();
  const merged = <T extends UserRecord | GroupRecord | RoleRecord>(record: T): T => ({
    ...record,
    ...change(record),
  });
  await editing(WORDS[kind], name, async () => {
    if (kind === "user") {
      userNamed(view, name);
      await edits.changeUser(name, merged);
    } else if (kind === "group") {
      groupNamed(view, name);
      await edits.changeGroup(name, merged);
    } else {
      roleNamed(view, name);
      await edits.changeRole(name, merged);
    }
  });
  await directory.refresh();
}

export function putInline(name: string, document: string): PolicyChange {
  return ({ policies, attachedPolicies }) => {
    const others = policies.filter((policy) => policy.name !== name);
    const all = [...others, create(NamedPolicySchema, { name, document })];
    return { attachedPolicies, policies: all.sort((a, b) => (a.name < b.name ? -1 : 1)) };
  };
}

export function withoutInline(name: string): PolicyChange {
  return ({ policies, attachedPolicies }) => {
    const others = policies.filter((policy) => policy.name !== name);
    if (others.length === policies.length) {
      throw notFound("NoSuchPolicy", `There is no policy ${name} in it.`);
    }
    return { policies: others, attachedPolicies };
  };
}

export function withAttached(name: string): PolicyChange {
  return ({ policies, attachedPolicies }) => ({
    policies,
    attachedPolicies: sorted([...attachedPolicies, name]),
  });
}

export function withoutAttached(name: string): PolicyChange {
  return ({ policies, attachedPolicies }) => {
    const others = attachedPolicies.filter((policy) => policy !== name);
    if (others.length === attachedPolicies.length) {
      throw notFound("NoSuchPolicy", `The policy ${name} is not attached to it.`);
    }
    return { policies, attachedPolicies: others };
  };
}

/** Everyone a managed policy is attached to. */
export function holdersOf(policy: string, view: DirectoryView): Readonly<Record<Holder, string[]>> {
  const names = (all: Iterable<Policied & { readonly name: string }>): string[] =>
    [...all]
      .filter(({ attachedPolicies }) => attachedPolicies.includes(policy))
      .map(({ name }) => name)
      .sort();
  return {
    user: names(view.users()),
    group: names(view.groups()),
    role: names(view.roles()),
  };
}

function managedView(policy: ManagedPolicy, view: DirectoryView): View {
  const { user, group, role } = holdersOf(policy.name, view);
  return {
    name: policy.name,
    description: policy.description,
    document: documentView(policy.document),
    createdAt: timeOf(policy.createdMs),
    updatedAt: timeOf(policy.updatedMs),
    attachedTo: { users: user, groups: group, roles: role },
  };
}

async function putManaged(
  context: AdminContext,
  wish: Type.Static<typeof ManagedBody>,
): Promise<AdminAnswer> {
  const { directory } = context.deps;
  const name = parameter(context, "policy");
  const document = checkedDocument(wish.document);
  const { description } = wish;
  const put = await putManagedPolicy(context.deps, { name, document, description });
  return json(managedView(put, await directory.refresh()));
}

async function putManagedPolicy(
  { edits, directory, clock }: AdminDependencies,
  wish: {
    readonly name: string;
    readonly document: string;
    readonly description?: string | undefined;
  },
): Promise<ManagedPolicy> {
  const { name, document, description } = wish;
  const nowMs = BigInt(clock.wallMs());
  const view = await directory.view();
  if (view.policy(name) === undefined) {
    const times = { createdMs: nowMs, updatedMs: nowMs };
    const record = create(ManagedPolicySchema, {
      name,
      document,
      description: description ?? "",
      ...times,
    });
    return editing("Policy", name, () => edits.createPolicy(record));
  }
  return editing("Policy", name, () =>
    edits.changePolicy(name, (before) => ({
      ...before,
      document,
      description: description ?? before.description,
      updatedMs: nowMs,
    })),
  );
}
