// The grammar that policies of every kind share: statements, principals, actions, resources and
// conditions are read and checked here; what kinds differ in comes as a PolicyKind. Deciding by a
// policy is the affair of lib/iam. Source: AWS IAM user guide, "Grammar of the IAM JSON policy
// language"; Amazon S3 user guide, "Policies and permissions in Amazon S3".
import { S3Error } from "../errors.ts";
import { parseConditions } from "./policy-conditions.ts";
import {
  type JsonFields,
  knownFieldsOf,
  malformedPolicy,
  parsePolicyJson,
  textsOf,
} from "./policy-json.ts";
import { parsePrincipals } from "./policy-principals.ts";
import { checkVariables } from "./policy-variables.ts";

const VERSIONS = ["2012-10-17", "2008-10-17"];
const STATEMENTS_MAX = 1000;

export type PrincipalType = "AWS" | "CanonicalUser" | "Federated" | "Service";

export interface PolicyPrincipal {
  readonly type: PrincipalType;
  readonly value: string;
}

/** A list that means these, or, when `isNegated`, all others. */
export interface PolicyList<T> {
  readonly isNegated: boolean;
  readonly values: readonly T[];
}

export interface PolicyCondition {
  /** Without qualifier and `IfExists`. */
  readonly operator: string;
  readonly qualifier: "ForAllValues" | "ForAnyValue" | undefined;
  readonly ifExists: boolean;
  /** As written; keys are compared without case. */
  readonly key: string;
  readonly values: readonly string[];
}

export interface Statement {
  readonly sid: string | undefined;
  readonly effect: "Allow" | "Deny";
  /** `*` of type AWS is everybody, signed in or not. Undefined in policies of an identity. */
  readonly principals: PolicyList<PolicyPrincipal> | undefined;
  /** Patterns with `*` and `?`. */
  readonly actions: PolicyList<string>;
  /** ARNs with `*` and `?`. Undefined in trust policies: the role itself. */
  readonly resources: PolicyList<string> | undefined;
  readonly conditions: readonly PolicyCondition[];
}

export interface Policy {
  readonly version: string;
  readonly id: string | undefined;
  readonly statements: readonly Statement[];
}

/** What policies of one kind may say. */
export interface PolicyKind {
  readonly bytesMax: number;
  /** A field that is not required is refused. */
  readonly hasPrincipals: boolean;
  readonly hasResources: boolean;
  readonly isAction: (action: string) => boolean;
  readonly isResource: (resource: string) => boolean;
}

/**
 * Parses and checks a policy. Throws S3Error MalformedPolicy, PolicyTooLarge. What principals,
 * actions and resources exist is not checked. Time grows with the size alone.
 */
export function parsePolicyOf(kind: PolicyKind, body: Uint8Array): Policy {
  if (body.byteLength > kind.bytesMax) throw new S3Error("PolicyTooLarge");
  const fields = knownFieldsOf(parsePolicyJson(body), ["Version", "Id", "Statement"]);
  const version = fields.get("Version") ?? "2008-10-17";
  if (typeof version !== "string" || !VERSIONS.includes(version)) {
    throw malformedPolicy("The policy must contain a valid version string");
  }
  const id = fields.get("Id");
  if (id !== undefined && typeof id !== "string") throw malformedPolicy("Invalid policy syntax.");
  const statement = fields.get("Statement");
  if (statement === undefined) throw malformedPolicy("Missing required field Statement");
  const list: readonly unknown[] = Array.isArray(statement) ? statement : [statement];
  if (list.length === 0) throw malformedPolicy("Could not parse the policy: Statement is empty!");
  if (list.length > STATEMENTS_MAX) throw malformedPolicy("Too many statements.");
  const statements = list.map((each) => parseStatement(each, kind));
  const sids = statements.flatMap(({ sid }) => (sid === undefined ? [] : [sid]));
  if (new Set(sids).size !== sids.length) {
    throw malformedPolicy("Statement IDs (SID) in a single policy must be unique.");
  }
  if (takesVariables(version)) statements.forEach(checkStatementVariables);
  return { version, id, statements };
}

/** Whether policies of `version` mean variables by `${...}`; older ones mean the characters. */
export function takesVariables(version: string): boolean {
  return version === "2012-10-17";
}

const STATEMENT_FIELDS = ["Sid", "Effect", "Principal", "NotPrincipal", "Action"].concat([
  "NotAction",
  "Resource",
  "NotResource",
  "Condition",
]);

function parseStatement(value: unknown, kind: PolicyKind): Statement {
  const fields = knownFieldsOf(value, STATEMENT_FIELDS);
  const sid = fields.get("Sid");
  if (sid !== undefined && typeof sid !== "string") throw malformedPolicy("Invalid policy syntax.");
  const effect = fields.get("Effect");
  if (effect === undefined) throw malformedPolicy("Missing required field Effect");
  if (effect !== "Allow" && effect !== "Deny") throw malformedPolicy("Invalid effect");
  if (!kind.hasPrincipals) checkAbsent(fields, "Principal");
  if (!kind.hasResources) checkAbsent(fields, "Resource");
  const parseActions = (each: unknown): readonly string[] =>
    checkedTexts(each, kind.isAction, "Policy has invalid action");
  const parseResources = (each: unknown): readonly string[] =>
    checkedTexts(each, kind.isResource, "Policy has invalid resource");
  return {
    sid: sid === "" ? undefined : sid,
    effect,
    principals: kind.hasPrincipals ? listOf(fields, "Principal", parsePrincipals) : undefined,
    actions: listOf(fields, "Action", parseActions),
    resources: kind.hasResources ? listOf(fields, "Resource", parseResources) : undefined,
    conditions: fields.has("Condition") ? parseConditions(fields.get("Condition")) : [],
  };
}

function checkAbsent(fields: JsonFields, name: string): void {
  if (fields.has(name) || fields.has(`Not${name}`)) {
    throw malformedPolicy(`Policies of this kind have no ${name}`);
  }
}

function listOf<T>(
  fields: JsonFields,
  name: string,
  parse: (value: unknown) => readonly T[],
): PolicyList<T> {
  const isNegated = fields.has(`Not${name}`);
  if (isNegated === fields.has(name)) {
    throw malformedPolicy(
      isNegated ? `Statement has both ${name} and Not${name}` : `Missing required field ${name}`,
    );
  }
  return { isNegated, values: parse(fields.get(isNegated ? `Not${name}` : name)) };
}

function checkedTexts(
  value: unknown,
  isValid: (text: string) => boolean,
  message: string,
): readonly string[] {
  const texts = textsOf(value, message);
  if (!texts.every(isValid)) throw malformedPolicy(message);
  return texts;
}

function checkStatementVariables({ resources, conditions }: Statement): void {
  resources?.values.forEach(checkVariables);
  for (const { operator, values } of conditions) {
    if (/^(?:String|Arn|Bool)/.test(operator)) values.forEach(checkVariables);
  }
}
