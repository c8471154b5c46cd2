// Which statement of a policy concerns a request. What cannot be told counts against access: a
// statement that allows does not apply, one that denies does. Source: AWS IAM user guide, "Policy
// evaluation logic", "IAM JSON policy elements: NotPrincipal", "NotAction", "NotResource".
import {
  type Policy,
  type PolicyCondition,
  type PolicyList,
  type PolicyPrincipal,
  type Statement,
  takesVariables,
} from "../s3/settings/policy-grammar.ts";
import { namedPrincipal } from "../s3/settings/policy-principals.ts";
import { hasVariable } from "../s3/settings/policy-variables.ts";
import { meetsCondition } from "./conditions.ts";
import type { ConditionContext, Principal } from "./model.ts";
import {
  expand,
  matchesAction,
  matchesResource,
  plainArn,
  type VariableValues,
} from "./wildcard.ts";

/**
 * What to take conditions on the tags of the object for: what the context says, or, while the
 * object has not been looked up, what is best or worst for whoever asks.
 */
export type TagAssumption = "as-known" | "best" | "worst";

/** Who becomes somebody else: a principal, or whoever an identity provider vouches for. */
export type Caller = Principal | { readonly kind: "federated"; readonly provider: string };

export interface Question {
  readonly caller: Caller;
  readonly action: string;
  /** Undefined in trust policies, which are about one role. */
  readonly resource: string | undefined;
  readonly context: ConditionContext;
  readonly tags: TagAssumption;
}

/** A statement, by its place from 0. */
export interface StatementMatch {
  readonly statement: number;
  readonly sid: string | undefined;
}

/**
 * Of an identity: a policy of the one who asks, whoever he is. Of a resource: its statements name
 * whom they are about, and one that names nobody concerns nobody.
 */
export type PolicyHolder = "identity" | "resource";

/** The first statement of `policy` with `effect` that concerns the question. */
export function findStatement(
  { policy, holder }: { readonly policy: Policy; readonly holder: PolicyHolder },
  effect: Statement["effect"],
  question: Question,
): StatementMatch | undefined {
  const values = takesVariables(policy.version) ? valuesOf(question.context) : undefined;
  const index = policy.statements.findIndex(
    (statement) =>
      statement.effect === effect &&
      concernsAction(statement, question.action) &&
      concernsResource(statement, question, values) &&
      concernsPrincipal(statement, holder, question.caller) &&
      statement.conditions.every((condition) => isMet(condition, { statement, question, values })),
  );
  const found = policy.statements[index];
  return found === undefined ? undefined : { statement: index, sid: found.sid };
}

/** Only keys with one value can stand in a text. */
function valuesOf(context: ConditionContext): VariableValues {
  return (key) => {
    const values = context.get(key);
    return values?.length === 1 ? values[0] : undefined;
  };
}

function concernsAction({ actions }: Statement, action: string): boolean {
  return actions.values.some((pattern) => matchesAction(pattern, action)) !== actions.isNegated;
}

function concernsResource(
  { effect, resources }: Statement,
  { resource, tags }: Question,
  values: VariableValues | undefined,
): boolean {
  if (resources === undefined || resource === undefined) return resources === undefined;
  if (tags !== "as-known" && resources.values.some(hasTagVariable)) {
    return (effect === "Allow") === (tags === "best");
  }
  const isNamed = resources.values.some((pattern) => matchesResource(pattern, resource, values));
  if (!resources.isNegated || isNamed) return isNamed !== resources.isNegated;
  // All but these: where one of these cannot be told, nothing is allowed.
  const isTold = resources.values.every(
    (pattern) => expand(plainArn(pattern), values) !== undefined,
  );
  return isTold || effect === "Deny";
}

function isTagKey(key: string): boolean {
  return key.startsWith("s3:existingobjecttag/");
}

function hasTagVariable(text: string): boolean {
  return hasVariable(text, isTagKey);
}

interface ConditionSetting {
  readonly statement: Statement;
  readonly question: Question;
  readonly values: VariableValues | undefined;
}

function isMet(
  condition: PolicyCondition,
  { statement, question, values }: ConditionSetting,
): boolean {
  const isAllow = statement.effect === "Allow";
  const { tags, context } = question;
  const isAboutTags =
    isTagKey(condition.key.toLowerCase()) || condition.values.some(hasTagVariable);
  if (tags !== "as-known" && isAboutTags) return isAllow === (tags === "best");
  return meetsCondition(condition, context, values) ?? !isAllow;
}

function concernsPrincipal(
  { principals }: Statement,
  holder: PolicyHolder,
  caller: Caller,
): boolean {
  if (principals === undefined) return holder === "identity";
  return isNamedIn(principals, caller) !== principals.isNegated;
}

function isNamedIn({ values }: PolicyList<PolicyPrincipal>, caller: Caller): boolean {
  const names = namesOf(caller);
  return values.some((principal) => couldName(principal, names) && isNamed(principal, caller));
}

/** How ARNs and names of the caller end. */
function namesOf(caller: Caller): readonly string[] {
  if (caller.kind === "anonymous") return [];
  if (caller.kind === "federated") return [caller.provider];
  const [, role = "", session = ""] = SESSION.exec(caller.arn) ?? [];
  const own = [caller.userId, caller.arn.slice(caller.arn.lastIndexOf("/") + 1), ...caller.groups];
  return own.concat(role, session).filter((name) => name !== "");
}

/** Leaves out most of a long list without reading each of its ARNs. */
function couldName({ type, value }: PolicyPrincipal, names: readonly string[]): boolean {
  if (type === "AWS" && (value === "*" || !value.startsWith("arn:"))) {
    return true;
  }
  return names.some((name) => value.endsWith(name));
}

const SESSION = /:assumed-role\/([^/]+)\/([^/]+)$/;

function isNamed(principal: PolicyPrincipal, caller: Caller): boolean {
  const named = namedPrincipal(principal);
  if (named.kind === "everybody") return true;
  if (caller.kind === "anonymous") return false;
  if (caller.kind === "federated") {
    return named.kind === "federated" && named.provider === caller.provider;
  }
  const session = SESSION.exec(caller.arn);
  switch (named.kind) {
    case "user": {
      // A service account goes by its own name and by that of its user; a session by the role's.
      const isOwn = named.name === caller.userId || caller.arn === userArn(named.name);
      return session === null && isOwn;
    }
    case "group":
      return session === null && caller.groups.includes(named.name);
    case "role":
      return session?.[1] === named.name;
    case "session":
      return session?.[1] === named.role && session[2] === named.session;
    case "account":
      return session === null && caller.userId === ROOT_USER;
    case "federated":
    case "nobody":
      return false;
  }
}

/** The cluster's own user, who is what an account's root is on AWS. */
const ROOT_USER = "root";

/** Whether a condition on the tags of the object, or a variable of them, stands in the policy. */
export function mentionsTags({ statements }: Policy): boolean {
  return statements.some(
    ({ conditions, resources }) =>
      conditions.some(isAboutTags) || resources?.values.some(hasTagVariable) === true,
  );
}

function isAboutTags({ key, values }: PolicyCondition): boolean {
  return isTagKey(key.toLowerCase()) || values.some(hasTagVariable);
}

/** ARN of a user, as principals carry it. */
export function userArn(name: string): string {
  return `arn:aws:iam:::user/${name}`;
}
