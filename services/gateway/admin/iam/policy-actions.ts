// Policies: inline ones of users, groups and roles; managed ones and who they are attached to; and
// what they allow. Managed policies have one version, "v1".
import { create } from "@bufbuild/protobuf";
import {
  type ManagedPolicy,
  ManagedPolicySchema,
} from "../../../lib/gen/dolium/record/v1/identity_pb.ts";
import { AdminError, notFound } from "../admin-error.ts";
import {
  deleting,
  editing,
  groupNamed,
  policyNamed,
  roleNamed,
  userNamed,
} from "../identity/lookups.ts";
import {
  changePolicies,
  type Holder,
  holdersOf,
  putInline,
  withAttached,
  withoutAttached,
  withoutInline,
} from "../identity/policies.ts";
import { simulated } from "../identity/policy-check.ts";
import { checkedDocument } from "../identity/policy-documents.ts";
import {
  dateOf,
  field,
  type IamAction,
  type IamCall,
  pageXml,
  policyArn,
  policyXml,
} from "./iam-action.ts";
import type { XmlValue } from "./iam-xml.ts";
import { lastOfArn } from "./query-protocol.ts";

const WORDS = { user: "User", group: "Group", role: "Role" } as const;
const onPolicy = { kind: "policy", parameter: "policy" } as const;
const MEMBERS_MAX = 100;

export const POLICY_ACTIONS: readonly IamAction[] = [
  ...holderActions("user"),
  ...holderActions("group"),
  ...holderActions("role"),
  {
    name: "CreatePolicy",
    permission: { action: "iam:CreatePolicy", administratorsOnly: true },
    isWrite: true,
    run: createPolicy,
  },
  {
    name: "GetPolicy",
    subject: "PolicyArn",
    permission: { action: "iam:GetPolicy", on: onPolicy },
    isWrite: false,
    run: async (call) => ({ Policy: await shownPolicy(call) }),
  },
  {
    name: "GetPolicyVersion",
    subject: "PolicyArn",
    permission: { action: "iam:GetPolicyVersion", on: onPolicy },
    isWrite: false,
    run: getPolicyVersion,
  },
  {
    name: "ListPolicies",
    permission: { action: "iam:ListPolicies" },
    isWrite: false,
    run: async ({ context, form }) => {
      const view = await context.deps.directory.view();
      // Policies of AWS are not here; those there are, are the customer's.
      const policies = form.get("Scope") === "AWS" ? [] : view.policies();
      return pageXml(form, policies, {
        listName: "Policies",
        nameOf: ({ name }) => name,
        show: (policy) => policyXml(policy, attachments(policy, view)),
      });
    },
  },
  {
    name: "DeletePolicy",
    subject: "PolicyArn",
    permission: { action: "iam:DeletePolicy", on: onPolicy, administratorsOnly: true },
    isWrite: true,
    run: async ({ context, name }) => {
      const { edits, directory } = context.deps;
      policyNamed(await directory.view(), name);
      await deleting("Policy", name, () => edits.deletePolicy(name));
      await directory.refresh();
      return undefined;
    },
  },
  {
    name: "SimulatePrincipalPolicy",
    subject: "PolicySourceArn",
    permission: {
      action: "iam:SimulatePrincipalPolicy",
      on: { kind: "user", parameter: "user" },
      self: true,
    },
    isWrite: false,
    run: simulate,
  },
];

type View = Parameters<typeof holdersOf>[1];

function attachments({ name }: ManagedPolicy, view: View): number {
  const { user, group, role } = holdersOf(name, view);
  return user.length + group.length + role.length;
}

function holderActions(kind: Holder): readonly IamAction[] {
  return [...inlineActions(kind), ...attachedActions(kind)];
}

/** What the rows of a kind of holder share. */
function rowsOf(kind: Holder) {
  const word = WORDS[kind];
  const subject = `${word}Name`;
  const on = { kind, parameter: kind } as const;
  return {
    word,
    action: `${word}Policy`,
    read: { subject, isWrite: false },
    write: { subject, isWrite: true },
    seen: { on, self: kind === "user" },
    changed: { on, administratorsOnly: true },
    change: async (call: IamCall, how: Parameters<typeof changePolicies>[2]) => {
      await changePolicies(call.context.deps, { kind, name: call.name }, how);
      return undefined;
    },
  };
}

/** Put, Get, List, Delete of policies that are the holder's own. */
function inlineActions(kind: Holder): readonly IamAction[] {
  const { word, action, read, write, seen, changed, change } = rowsOf(kind);
  return [
    {
      name: `Put${action}`,
      ...write,
      permission: { action: `iam:Put${action}`, ...changed },
      run: (call) => {
        const document = checkedDocument(field(call.form, "PolicyDocument"));
        return change(call, putInline(field(call.form, "PolicyName"), document));
      },
    },
    {
      name: `Delete${action}`,
      ...write,
      permission: { action: `iam:Delete${action}`, ...changed },
      run: (call) => change(call, withoutInline(field(call.form, "PolicyName"))),
    },
    {
      name: `Get${action}`,
      ...read,
      permission: { action: `iam:Get${action}`, ...seen },
      run: (call) => getInline(kind, call),
    },
    {
      name: `List${word}Policies`,
      ...read,
      permission: { action: `iam:List${word}Policies`, ...seen },
      run: async (call) => {
        const { policies } = await holderOf(kind, call);
        const nameOf = ({ name }: { readonly name: string }): string => name;
        return pageXml(call.form, policies, { listName: "PolicyNames", nameOf, show: nameOf });
      },
    },
  ];
}

/** Attach, Detach and ListAttached of managed policies. */
function attachedActions(kind: Holder): readonly IamAction[] {
  const { word, action, read, write, seen, changed, change } = rowsOf(kind);
  const policyOf = (form: URLSearchParams): string => lastOfArn(field(form, "PolicyArn"));
  return [
    {
      name: `Attach${action}`,
      ...write,
      permission: { action: `iam:Attach${action}`, ...changed },
      run: async (call) => {
        policyNamed(await call.context.deps.directory.view(), policyOf(call.form));
        return change(call, withAttached(policyOf(call.form)));
      },
    },
    {
      name: `Detach${action}`,
      ...write,
      permission: { action: `iam:Detach${action}`, ...changed },
      run: (call) => change(call, withoutAttached(policyOf(call.form))),
    },
    {
      name: `ListAttached${word}Policies`,
      ...read,
      permission: { action: `iam:ListAttached${word}Policies`, ...seen },
      run: async (call) => {
        const { attachedPolicies } = await holderOf(kind, call);
        return pageXml(call.form, attachedPolicies, {
          listName: "AttachedPolicies",
          nameOf: (name) => name,
          show: (name) => ({ PolicyName: name, PolicyArn: policyArn(name) }),
        });
      },
    },
  ];
}

async function holderOf(
  kind: Holder,
  { context, name }: IamCall,
): Promise<{
  readonly policies: readonly { readonly name: string; readonly document: string }[];
  readonly attachedPolicies: readonly string[];
}> {
  const view = await context.deps.directory.view();
  if (kind === "user") return userNamed(view, name);
  return kind === "group" ? groupNamed(view, name) : roleNamed(view, name);
}

async function getInline(kind: Holder, call: IamCall): Promise<XmlValue> {
  const wanted = field(call.form, "PolicyName");
  const { policies } = await holderOf(kind, call);
  const policy = policies.find(({ name }) => name === wanted);
  if (policy === undefined) {
    throw notFound("NoSuchPolicy", `There is no policy ${wanted} of ${call.name}.`);
  }
  return {
    [`${WORDS[kind]}Name`]: call.name,
    PolicyName: wanted,
    PolicyDocument: encodeURIComponent(policy.document),
  };
}

async function createPolicy({ context, form }: IamCall): Promise<XmlValue> {
  const { edits, directory, clock } = context.deps;
  const name = field(form, "PolicyName");
  const document = checkedDocument(field(form, "PolicyDocument"));
  const nowMs = BigInt(clock.wallMs());
  const record = create(ManagedPolicySchema, {
    name,
    document,
    description: form.get("Description") ?? "",
    createdMs: nowMs,
    updatedMs: nowMs,
  });
  const made = await editing("Policy", name, () => edits.createPolicy(record));
  await directory.refresh();
  return { Policy: policyXml(made, 0) };
}

async function shownPolicy({ context, name }: IamCall): Promise<XmlValue> {
  const view = await context.deps.directory.view();
  const policy = policyNamed(view, name);
  return policyXml(policy, attachments(policy, view));
}

async function getPolicyVersion({ context, form, name }: IamCall): Promise<XmlValue> {
  const policy = policyNamed(await context.deps.directory.view(), name);
  const version = field(form, "VersionId");
  if (version !== "v1") throw notFound("NoSuchVersion", "Policies have the version v1 only.");
  return {
    PolicyVersion: {
      Document: encodeURIComponent(policy.document),
      VersionId: version,
      IsDefaultVersion: true,
      CreateDate: dateOf(policy.updatedMs),
    },
  };
}

/** Each action against each resource, as the user's policies stand and the buckets are now. */
async function simulate({ context, form, name }: IamCall): Promise<XmlValue> {
  const actions = members(form, "ActionNames");
  const resources = members(form, "ResourceArns");
  if (actions.length === 0) throw new AdminError(400, "ValidationError", "ActionNames is missing.");
  const keys = contextEntries(form);
  const results = await simulated(context, { user: name, actions, resources, keys });
  const shown = results.map(({ action, resource, outcome, decision: { by } }) => ({
    EvalActionName: action,
    EvalResourceName: resource,
    EvalDecision: outcome,
    MatchedStatements: "source" in by ? [{ SourcePolicyId: by.source }] : [],
    MissingContextValues: [],
  }));
  return { EvaluationResults: shown, IsTruncated: false };
}

/** `prefix.member.1`, `.2` ... in order. */
function members(form: URLSearchParams, prefix: string): string[] {
  const values: string[] = [];
  for (let at = 1; at <= MEMBERS_MAX; at += 1) {
    const value = form.get(`${prefix}.member.${at}`);
    if (value === null) return values;
    values.push(value);
  }
  return values;
}

function contextEntries(form: URLSearchParams): Readonly<Record<string, readonly string[]>> {
  const entries: (readonly [string, readonly string[]])[] = [];
  for (let at = 1; at <= MEMBERS_MAX; at += 1) {
    const prefix = `ContextEntries.member.${at}`;
    const key = form.get(`${prefix}.ContextKeyName`);
    if (key === null) break;
    entries.push([key, members(form, `${prefix}.ContextKeyValues`)]);
  }
  return Object.fromEntries(entries);
}
