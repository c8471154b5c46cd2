// Whether a bucket policy is public: it lets somebody in who is neither a fixed principal nor held
// to fixed values by a condition. Source: Amazon S3 user guide, "Blocking public access to your
// Amazon S3 storage", The meaning of "public".
import { openDocument } from "../document-parts.ts";
import { parseDecimal } from "../integers.ts";
import type { Policy, PolicyCondition, Statement } from "./policy-grammar.ts";

/** Condition keys that, with fixed values, keep a statement from being public. */
const FIXING_KEYS: ReadonlySet<string> = new Set([
  "aws:principalorgid",
  "aws:principalarn",
  "aws:principalaccount",
  "aws:sourceip",
  "aws:sourcearn",
  "aws:sourcevpc",
  "aws:sourcevpce",
  "aws:sourceowner",
  "aws:sourceaccount",
  "aws:userid",
  "aws:username",
  "s3:dataaccesspointarn",
  "s3:dataaccesspointaccount",
]);
/** Operators under which a request passes only with one of the values. */
const FIXING_OPERATORS: ReadonlySet<string> = new Set([
  "StringEquals",
  "StringEqualsIgnoreCase",
  "StringLike",
  "ArnEquals",
  "ArnLike",
  "IpAddress",
]);
/** Wider address ranges than these count as public. */
const IPV4_PREFIX_MIN = 8;
const IPV6_PREFIX_MIN = 32;

/** True when some statement of `policy` allows the public anything. */
export function isPublicPolicy(policy: Policy): boolean {
  return policy.statements.some(isPublicStatement);
}

function isPublicStatement({ effect, principals, conditions }: Statement): boolean {
  if (effect === "Deny" || principals === undefined) return false;
  const isOpen = principals.isNegated || principals.values.some(({ value }) => value === "*");
  return isOpen && !conditions.some(isFixing);
}

function isFixing(condition: PolicyCondition): boolean {
  const { operator, key, values, ifExists, qualifier } = condition;
  const name = key.toLowerCase();
  // A request that lacks the key passes these two.
  if (ifExists || qualifier === "ForAllValues") return false;
  if (!FIXING_OPERATORS.has(operator) || !FIXING_KEYS.has(name) || values.length === 0) {
    return false;
  }
  if (name === "aws:sourceip") return operator === "IpAddress" && values.every(isNarrowRange);
  return values.every((value) => isFixed(name, value));
}

function isFixed(name: string, value: string): boolean {
  if (value.includes("${")) return false;
  // An access point's name may vary while its account does not.
  if (name === "s3:dataaccesspointarn") {
    return /^arn:[^:*?]+:s3:[^:*?]*:[^:*?]+:accesspoint\/\S+$/.test(value);
  }
  return !/[*?]/.test(value);
}

function isNarrowRange(range: string): boolean {
  const [address = "", prefix] = range.split("/");
  if (/[*?]|\$\{/.test(range) || address === "") return false;
  const length = prefix === undefined ? Number.POSITIVE_INFINITY : parseDecimal(prefix);
  return (
    length !== undefined && length >= (address.includes(":") ? IPV6_PREFIX_MIN : IPV4_PREFIX_MIN)
  );
}

/** GetBucketPolicyStatus. */
export function policyStatusDocument(isPublic: boolean): string {
  const writer = openDocument("PolicyStatus").leaf("IsPublic", isPublic ? "TRUE" : "FALSE");
  return writer.close("PolicyStatus").finish();
}
