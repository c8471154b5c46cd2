// Parameters of the security token service, read strictly. Source: AWS STS API reference,
// AssumeRole, AssumeRoleWithWebIdentity, GetSessionToken.

import type { DirectoryView } from "../../lib/clients/identity-directory.ts";
import { parseSessionPolicy } from "../../lib/iam/policy.ts";
import { parseDecimal } from "../../lib/s3/integers.ts";
import type { QueryParameters } from "../../lib/s3/query-parameters.ts";
import { SESSION_POLICY_CHARACTERS_MAX } from "./session-token.ts";
import { StsError } from "./sts-error.ts";

export const SESSION_SECONDS_MIN = 900;
const SESSION_NAME = /^[\w+=,.@-]{2,64}$/;
const ROLE_ARN = /^arn:[a-z0-9-]+:iam::[0-9]*:role\/(?:[\w+=,.@/-]*\/)?([\w+=,.@-]{1,64})$/;
const POLICY_ARN = /^arn:[a-z0-9-]+:iam::[0-9a-z]*:policy\/(?:[\w+=,.@/-]*\/)?([\w+=,.@-]{1,128})$/;
const POLICY_ARNS_MAX = 10;
/** As the ARN of a role is written here. */
const ROLE_ARN_START = "arn:aws:iam:::role/";

/** The one value of a parameter. Throws MissingParameter, InvalidParameterValue (repeated). */
export function required(parameters: QueryParameters, name: string): string {
  const value = optional(parameters, name);
  if (value !== undefined && value !== "") return value;
  throw new StsError("MissingParameter", `The request must contain the parameter ${name}.`);
}

export function optional(parameters: QueryParameters, name: string): string | undefined {
  const values = parameters.all(name);
  if (values.length <= 1) return values[0];
  throw new StsError("InvalidParameterValue", `The parameter ${name} is given more than once.`);
}

export function roleOf(parameters: QueryParameters): {
  readonly name: string;
  readonly arn: string;
} {
  const [, name] = ROLE_ARN.exec(required(parameters, "RoleArn")) ?? [];
  if (name === undefined) throw new StsError("ValidationError", "RoleArn is no ARN of a role.");
  return { name, arn: `${ROLE_ARN_START}${name}` };
}

export function sessionNameOf(parameters: QueryParameters): string {
  const name = required(parameters, "RoleSessionName");
  if (SESSION_NAME.test(name)) return name;
  throw new StsError(
    "ValidationError",
    "RoleSessionName must have 2 to 64 letters, digits and characters of =,.@-_+",
  );
}

/** Seconds of the session: DurationSeconds from 900 to `max`. */
export function durationOf(
  parameters: QueryParameters,
  { fallback, max }: { readonly fallback: number; readonly max: number },
): number {
  const text = optional(parameters, "DurationSeconds");
  if (text === undefined) return Math.min(fallback, max);
  const seconds = parseDecimal(text);
  if (seconds !== undefined && seconds >= SESSION_SECONDS_MIN && seconds <= max) return seconds;
  throw new StsError(
    "ValidationError",
    `DurationSeconds must be a number from ${SESSION_SECONDS_MIN} to ${max}.`,
  );
}

/** The documents of Policy and PolicyArns, checked. Throws MalformedPolicyDocument, as S3Error. */
export function sessionPolicies(parameters: QueryParameters, view: DirectoryView): string[] {
  const inline = optional(parameters, "Policy");
  if (inline !== undefined) parseSessionPolicy(inline);
  const documents = inline === undefined ? [] : [inline];
  for (const { name, value } of parameters.list) {
    if (!/^PolicyArns\.member\.[0-9]+\.arn$/.test(name)) continue;
    const [, policy = ""] = POLICY_ARN.exec(value) ?? [];
    const document = view.policy(policy)?.document;
    if (document === undefined) throw new StsError("ValidationError", `There is no ${value}.`);
    documents.push(document);
  }
  const characters = documents.reduce((sum, document) => sum + document.length, 0);
  const isTooMuch =
    documents.length > POLICY_ARNS_MAX + 1 || characters > SESSION_POLICY_CHARACTERS_MAX;
  if (isTooMuch) {
    throw new StsError("PackedPolicyTooLarge", "The session policies are too long together.");
  }
  return documents;
}
