// What-if: whether a user may do something, and which rule says so; and whether a document is a
// policy. Everybody may ask about himself.
import { present } from "../../../lib/base/assert.ts";
import * as Type from "../../../lib/base/settings-schema.ts";
import type { BucketFacts } from "../../../lib/iam/model.ts";
import { bucketOfResource, type SimulationResult, simulate } from "../../../lib/iam/simulate.ts";
import { bucketFacts } from "../../data/access/bucket-facts.ts";
import { authorize } from "../admin-access.ts";
import { type AdminAnswer, json } from "../admin-answer.ts";
import { invalidArgument, notFound } from "../admin-error.ts";
import { type AdminContext, type AdminOperation, withBody } from "../admin-operation.ts";
import { body, Name, optional, PolicyDocument } from "./field-schemas.ts";
import { checkedDocument } from "./policy-documents.ts";

const Question = body({
  user: Name,
  action: Type.String({ pattern: "^[a-z0-9-]+:[A-Za-z]+$", maxLength: 128 }),
  resource: Type.String({ minLength: 1, maxLength: 2048 }),
  context: optional(
    Type.Record(Type.String(), Type.Array(Type.String({ maxLength: 1024 }), { maxItems: 100 })),
  ),
});
const Document = body({
  document: PolicyDocument,
  kind: optional(Type.Union([Type.Literal("identity"), Type.Literal("trust")])),
});

export const CHECK_OPERATIONS: readonly AdminOperation[] = [
  withBody({
    name: "CheckPolicy",
    method: "POST",
    path: "/policy/check",
    summary: "Whether a user may do something, and why.",
    admission: "caller",
    readOnly: true,
    body: Question,
    run: checkPolicy,
  }),
  withBody({
    name: "ValidatePolicy",
    method: "POST",
    path: "/policy/validate",
    summary: "Whether a document is a policy; refused with what is wrong.",
    admission: "caller",
    readOnly: true,
    body: Document,
    run: async (_context, { document, kind }) => {
      checkedDocument(document, kind);
      return json({ valid: true });
    },
  }),
];

async function checkPolicy(
  context: AdminContext,
  { user, action, resource, context: keys = {} }: Type.Static<typeof Question>,
): Promise<AdminAnswer> {
  const asked = { ...context, parameters: { user } };
  authorize(asked, {
    action: "iam:SimulatePrincipalPolicy",
    on: { kind: "user", parameter: "user" },
    self: true,
  });
  const question = { user, actions: [action], resources: [resource], keys };
  const { decision, explanation } = present((await simulated(context, question))[0], "a result");
  return json({ allowed: decision.allowed, by: decision.by, explanation });
}

/**
 * What that user could do, with buckets as they are now: each action on each resource, actions
 * first. Throws AdminError "NoSuchUser".
 */
export async function simulated(
  { deps }: Pick<AdminContext, "deps">,
  question: {
    readonly user: string;
    readonly actions: readonly string[];
    readonly resources: readonly string[];
    readonly keys: Readonly<Record<string, readonly string[]>>;
  },
): Promise<readonly SimulationResult[]> {
  const { user, actions, resources, keys } = question;
  const identity = await deps.identities.ofUser(user);
  if (identity === undefined) throw notFound("NoSuchUser", `There is no active user ${user}.`);
  const context = new Map(Object.entries(keys).map(([key, values]) => [key.toLowerCase(), values]));
  if (!context.has("aws:username")) context.set("aws:username", [user]);
  const buckets = new Map<string, BucketFacts | undefined>();
  for (const name of new Set(resources.map(bucketOfResource))) {
    if (name !== undefined) buckets.set(name, await factsOf(deps, name));
  }
  const bucketOf = (name: string): BucketFacts | undefined => buckets.get(name);
  return simulate({ principal: identity.principal, actions, resources, context, bucketOf });
}

async function factsOf(deps: AdminContext["deps"], name: string): Promise<BucketFacts | undefined> {
  if (name.length > 255) throw invalidArgument("the resource names no bucket");
  const bucket = await deps.gateway.dependencies.buckets.get(name);
  return bucket === undefined ? undefined : bucketFacts(deps.gateway, bucket);
}
