// Policies of identities: what users, groups and roles may do, what bounds them, and who may become
// a role. One grammar reads them and the policies of buckets (lib/s3/settings/policy.ts). Source:
// AWS IAM user guide, "Grammar of the IAM JSON policy language", "IAM and AWS STS quotas".
import {
  type Policy,
  type PolicyKind,
  parsePolicyOf,
  type Statement,
  takesVariables,
} from "../s3/settings/policy-grammar.ts";
import { parseArn } from "../s3/settings/policy-values.ts";

export type { Policy, Statement };

/**
 * Bytes of a policy of a user, group or role, or of a managed one. AWS takes 6144 characters of a
 * managed policy and 2048 of all inline ones, spaces left out of account; here each may be as long
 * as that of a bucket.
 */
export const IDENTITY_POLICY_BYTES_MAX = 20 * 1024;
/** As AWS: 2048 bytes; the policy travels in each request. */
export const SESSION_POLICY_BYTES_MAX = 2048;
/** Quota of AWS at its highest: 4096 characters; twice that here. */
export const TRUST_POLICY_BYTES_MAX = 8192;

const ACTION = /^(?:\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+)$/;
const TRUST_ACTION = /^sts:[A-Za-z*?]+$/i;

const IDENTITY: PolicyKind = {
  bytesMax: IDENTITY_POLICY_BYTES_MAX,
  hasPrincipals: false,
  hasResources: true,
  isAction: (action) => ACTION.test(action),
  isResource: (resource) => resource === "*" || isArnPattern(resource),
};

/**
 * `arn:partition:service:region:account:resource`; each part may hold wildcards, the last one
 * variables.
 */
function isArnPattern(text: string): boolean {
  const parts = parseArn(text);
  if (parts === undefined || parts.slice(0, -1).some((part) => part.includes("$"))) return false;
  return parts[1] !== "" && parts[2] !== "" && parts[5] !== "";
}

/** A policy of a user, group or role, a managed one, or a boundary. Throws MalformedPolicy. */
export function parseIdentityPolicy(document: string | Uint8Array): Policy {
  return parsePolicyOf(IDENTITY, bytesOf(document));
}

/** A policy that narrows temporary credentials. Throws MalformedPolicy, PolicyTooLarge. */
export function parseSessionPolicy(document: string | Uint8Array): Policy {
  return parsePolicyOf({ ...IDENTITY, bytesMax: SESSION_POLICY_BYTES_MAX }, bytesOf(document));
}

/** A policy that says who may become a role: it has principals and no resources. */
export function parseTrustPolicy(document: string | Uint8Array): Policy {
  return parsePolicyOf(
    {
      bytesMax: TRUST_POLICY_BYTES_MAX,
      hasPrincipals: true,
      hasResources: false,
      isAction: (action) => action === "*" || TRUST_ACTION.test(action),
      isResource: () => false,
    },
    bytesOf(document),
  );
}

const VERSION = "2012-10-17";

/** One policy that says what all of them say. Where `${` was characters, it stays so. */
export function mergePolicies(policies: readonly Policy[]): Policy {
  const statements = policies.flatMap((policy) =>
    takesVariables(policy.version) ? policy.statements : policy.statements.map(asLiteral),
  );
  return { version: VERSION, id: undefined, statements };
}

/** The statement in the words of a version with variables: `${$}` is a dollar sign. */
function asLiteral(statement: Statement): Statement {
  const literal = (text: string): string => text.replaceAll("$", `\${$}`);
  const { resources, conditions } = statement;
  return {
    ...statement,
    resources: resources && { ...resources, values: resources.values.map(literal) },
    conditions: conditions.map((each) => ({ ...each, values: each.values.map(literal) })),
  };
}

function bytesOf(document: string | Uint8Array): Uint8Array {
  return typeof document === "string" ? Buffer.from(document, "utf8") : document;
}
