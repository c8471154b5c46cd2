// Bucket policies: checks the JSON of PutBucketPolicy as S3 does and reads it into statements. The
// text is kept and given back as it came. Deciding by a policy is another module's affair. Source:
// AWS IAM user guide, "Grammar of the IAM JSON policy language"; Amazon S3 user guide, "Policies
// and permissions in Amazon S3".
import { fromUtf8 } from "../../base/bytes.ts";
import { S3Error } from "../errors.ts";

/** S3 user guide: bucket policies are limited to 20 KB. */
export const POLICY_BYTES_MAX = 20 * 1024;
const VERSIONS = ["2012-10-17", "2008-10-17"];
const STATEMENTS_MAX = 1000;
const ACTION = /^s3:[A-Za-z*?]+$/;
const PRINCIPAL_TYPES = ["AWS", "CanonicalUser", "Federated", "Service"] as const;
/** `*`, an account number, an ARN, or the unique id of a user that was removed. */
const AWS_PRINCIPAL =
  /^(?:\*|[0-9]{12}|[A-Z0-9]{16,128}|arn:[a-z0-9-]+:(?:iam|sts):[^:]*:[^:]*:\S+)$/;
const RESOURCE = /^arn:(?:aws|aws-[a-z-]+|dolium|minio):s3:::([^/]+)(?:\/([\s\S]*))?$/;
const OPERATORS: ReadonlySet<string> = new Set(
  ["String", "Numeric", "Date", "Arn", "IpAddress"]
    .flatMap(operatorsOf)
    .concat(["Bool", "BinaryEquals", "Null"]),
);

function operatorsOf(type: string): readonly string[] {
  switch (type) {
    case "String": {
      const ignoring = ["StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"];
      return ["StringEquals", "StringNotEquals", "StringLike", "StringNotLike", ...ignoring];
    }
    case "Arn":
      return ["ArnEquals", "ArnNotEquals", "ArnLike", "ArnNotLike"];
    case "IpAddress":
      return ["IpAddress", "NotIpAddress"];
    default:
      return ["Equals", "NotEquals", "LessThan", "LessThanEquals"]
        .concat(["GreaterThan", "GreaterThanEquals"])
        .map((suffix) => type + suffix);
  }
}

export type PrincipalType = (typeof PRINCIPAL_TYPES)[number];

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

export interface PolicyStatement {
  readonly sid: string | undefined;
  readonly effect: "Allow" | "Deny";
  /** `*` of type AWS is everybody, signed in or not. */
  readonly principals: PolicyList<PolicyPrincipal>;
  /** Patterns with `*` and `?`. */
  readonly actions: PolicyList<string>;
  /** ARNs with `*` and `?` in what follows the bucket. */
  readonly resources: PolicyList<string>;
  readonly conditions: readonly PolicyCondition[];
}

export interface BucketPolicy {
  readonly version: string;
  readonly id: string | undefined;
  readonly statements: readonly PolicyStatement[];
}

/**
 * Parses and checks a policy of `bucket`. Throws MalformedPolicy, PolicyTooLarge. What principals
 * exist is not checked.
 */
export function parsePolicy(body: Uint8Array, bucket: string): BucketPolicy {
  if (body.byteLength > POLICY_BYTES_MAX) throw new S3Error("PolicyTooLarge");
  const fields = fieldsOf(parseJson(body), ["Version", "Id", "Statement"]);
  const version = fields.get("Version") ?? "2008-10-17";
  if (typeof version !== "string" || !VERSIONS.includes(version)) {
    throw malformed("The policy must contain a valid version string");
  }
  const id = fields.get("Id");
  if (id !== undefined && typeof id !== "string") throw malformed("Invalid policy syntax.");
  const statement = fields.get("Statement");
  if (statement === undefined) throw malformed("Missing required field Statement");
  const list: readonly unknown[] = Array.isArray(statement) ? statement : [statement];
  if (list.length === 0) throw malformed("Could not parse the policy: Statement is empty!");
  if (list.length > STATEMENTS_MAX) throw malformed("Too many statements.");
  const statements = list.map((each) => parseStatement(each, bucket));
  const sids = statements.flatMap(({ sid }) => (sid === undefined ? [] : [sid]));
  if (new Set(sids).size !== sids.length) {
    throw malformed("Statement IDs (SID) in a single policy must be unique.");
  }
  return { version, id, statements };
}

function malformed(message: string): S3Error {
  return new S3Error("MalformedPolicy", message);
}

function parseJson(body: Uint8Array): unknown {
  const text = fromUtf8(body);
  if (text?.trimStart().startsWith("{")) {
    try {
      // Checked boundary: the value is examined field by field.
      return JSON.parse(text) as unknown;
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
  }
  throw malformed("Policies must be valid JSON and the first byte must be '{'");
}

/** Own fields of an object, each of which must be known. */
function fieldsOf(value: unknown, known: readonly string[]): ReadonlyMap<string, unknown> {
  const fields = entriesOf(value);
  const unknownName = [...fields.keys()].find((name) => !known.includes(name));
  if (unknownName !== undefined) throw malformed(`Unknown field ${unknownName.slice(0, 100)}`);
  return fields;
}

function entriesOf(value: unknown): ReadonlyMap<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw malformed("Invalid policy syntax.");
  }
  return new Map(Object.entries(value));
}

const STATEMENT_FIELDS = ["Sid", "Effect", "Principal", "NotPrincipal", "Action"].concat([
  "NotAction",
  "Resource",
  "NotResource",
  "Condition",
]);

function parseStatement(value: unknown, bucket: string): PolicyStatement {
  const fields = fieldsOf(value, STATEMENT_FIELDS);
  const sid = fields.get("Sid");
  if (sid !== undefined && typeof sid !== "string") throw malformed("Invalid policy syntax.");
  const effect = fields.get("Effect");
  if (effect === undefined) throw malformed("Missing required field Effect");
  if (effect !== "Allow" && effect !== "Deny") {
    throw malformed(`Invalid effect: ${String(effect).slice(0, 100)}`);
  }
  const statement = {
    sid: sid === "" ? undefined : sid,
    effect,
    principals: listOf(fields, "Principal", parsePrincipals),
    actions: listOf(fields, "Action", parseActions),
    resources: listOf(fields, "Resource", (each) => parseResources(each, bucket)),
    conditions: fields.has("Condition") ? parseConditions(fields.get("Condition")) : [],
  } as const;
  checkFit(statement, bucket);
  return statement;
}

function listOf<T>(
  fields: ReadonlyMap<string, unknown>,
  name: string,
  parse: (value: unknown) => readonly T[],
): PolicyList<T> {
  const isNegated = fields.has(`Not${name}`);
  if (isNegated === fields.has(name)) {
    throw malformed(
      isNegated ? `Statement has both ${name} and Not${name}` : `Missing required field ${name}`,
    );
  }
  return { isNegated, values: parse(fields.get(isNegated ? `Not${name}` : name)) };
}

function textsOf(value: unknown, message: string): readonly string[] {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (values.length === 0) throw malformed(message);
  return values.map((each) => {
    if (typeof each !== "string" || each === "") throw malformed(message);
    return each;
  });
}

function parsePrincipals(value: unknown): readonly PolicyPrincipal[] {
  if (value === "*") return [{ type: "AWS", value: "*" }];
  const message = "Invalid principal in policy";
  if (typeof value === "string") throw malformed(message);
  const principals = [...entriesOf(value)].flatMap(([name, texts]) => {
    const type = PRINCIPAL_TYPES.find((known) => known === name);
    if (type === undefined) throw malformed(message);
    return textsOf(texts, message).map((text) => ({ type, value: text }));
  });
  const isValid = ({ type, value: text }: PolicyPrincipal): boolean =>
    type !== "AWS" || AWS_PRINCIPAL.test(text);
  if (principals.length === 0 || !principals.every(isValid)) throw malformed(message);
  return principals;
}

function parseActions(value: unknown): readonly string[] {
  const message = "Policy has invalid action";
  const actions = textsOf(value, message);
  if (!actions.every((action) => action === "*" || ACTION.test(action))) throw malformed(message);
  return actions;
}

function parseResources(value: unknown, bucket: string): readonly string[] {
  const message = "Policy has invalid resource";
  const resources = textsOf(value, message);
  for (const resource of resources) {
    const [, name] = RESOURCE.exec(resource) ?? [];
    // S3 takes wildcards in place of the bucket's own name as long as they cover it.
    if (name === undefined || !matchesPattern(name, bucket)) throw malformed(message);
  }
  return resources;
}

/** Whether `text` is what `pattern` with `*` and `?` stands for; their lengths bound its cost. */
export function matchesPattern(pattern: string, text: string): boolean {
  let at = 0;
  let star = -1;
  let retry = 0;
  let index = 0;
  while (index < text.length) {
    if (at < pattern.length && pattern[at] === "*") {
      star = at;
      retry = index;
      at += 1;
    } else if (at < pattern.length && (pattern[at] === "?" || pattern[at] === text[index])) {
      at += 1;
      index += 1;
    } else if (star >= 0) {
      at = star + 1;
      retry += 1;
      index = retry;
    } else {
      return false;
    }
  }
  while (pattern[at] === "*") at += 1;
  return at === pattern.length;
}

const BUCKET_ACTION = /^s3:(?:ListBucket|ListBucketVersions|ListBucketMultipartUploads)$/i;
const OBJECT_ACTION = /^s3:(?:(?:Get|Put|Delete)Object(?:Version)?(?:Acl|Tagging)?)$/i;

/** A statement whose well-known actions all miss its resources does nothing: S3 refuses it. */
function checkFit(statement: PolicyStatement, bucket: string): void {
  const { actions, resources } = statement;
  if (actions.isNegated || resources.isNegated) return;
  const parts = resources.values.map((resource) => RESOURCE.exec(resource));
  const hasObjects = parts.some((part) => part?.[2] !== undefined || part?.[1]?.includes("*"));
  const hasBucket = parts.some(
    (part) => part?.[2] === undefined && matchesPattern(part?.[1] ?? "", bucket),
  );
  const misses = (action: string): boolean =>
    (OBJECT_ACTION.test(action) && !hasObjects) || (BUCKET_ACTION.test(action) && !hasBucket);
  if (actions.values.some(misses)) {
    throw malformed("Action does not apply to any resource(s) in statement");
  }
}

function parseConditions(value: unknown): readonly PolicyCondition[] {
  return [...entriesOf(value)].flatMap(([name, keys]) => {
    const parsed = parseOperator(name);
    return [...entriesOf(keys)].map(([key, values]) => {
      if (!/^[A-Za-z0-9-]+:\S+$/.test(key)) throw malformed("Policy has an invalid condition key");
      return { ...parsed, key, values: conditionValues(values) };
    });
  });
}

function parseOperator(name: string): Pick<PolicyCondition, "operator" | "qualifier" | "ifExists"> {
  const [, qualifier, rest = ""] = /^(?:(ForAllValues|ForAnyValue):)?(.*)$/.exec(name) ?? [];
  const ifExists = rest.endsWith("IfExists") && rest !== "IfExists";
  const operator = ifExists ? rest.slice(0, -"IfExists".length) : rest;
  if (!OPERATORS.has(operator) || (ifExists && operator === "Null")) {
    throw malformed(`Invalid Condition type : ${name.slice(0, 100)}`);
  }
  if (qualifier !== undefined && qualifier !== "ForAllValues" && qualifier !== "ForAnyValue") {
    throw malformed(`Invalid Condition type : ${name.slice(0, 100)}`);
  }
  return { operator, qualifier, ifExists };
}

function conditionValues(value: unknown): readonly string[] {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  return values.map((each) => {
    if (typeof each === "string") return each;
    if (typeof each === "number" || typeof each === "boolean") return String(each);
    throw malformed("Invalid policy syntax.");
  });
}
