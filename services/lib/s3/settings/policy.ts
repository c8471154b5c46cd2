// Bucket policies: checks the JSON of PutBucketPolicy as S3 does and reads it into statements. The
// text is kept and given back as it came. The grammar is that of every policy; what is S3's own
// stands here: the actions, resources of that very bucket, and actions that fit them. Source:
// Amazon S3 user guide, "Policies and permissions in Amazon S3".
import {
  type Policy,
  type PolicyKind,
  type PolicyList,
  type PolicyPrincipal,
  parsePolicyOf,
  type Statement,
} from "./policy-grammar.ts";
import { malformedPolicy } from "./policy-json.ts";
import { matchesPattern } from "./policy-pattern.ts";

export type { PolicyCondition, PolicyList, PolicyPrincipal } from "./policy-grammar.ts";

/** S3 user guide: bucket policies are limited to 20 KB. */
export const POLICY_BYTES_MAX = 20 * 1024;
const ACTION = /^s3:[A-Za-z*?]+$/i;
const RESOURCE = /^arn:(?:aws|aws-[a-z-]+|dolium|minio):s3:::([^/]+)(?:\/([\s\S]*))?$/;

export interface PolicyStatement extends Statement {
  readonly principals: PolicyList<PolicyPrincipal>;
  readonly resources: PolicyList<string>;
}

export interface BucketPolicy extends Policy {
  readonly statements: readonly PolicyStatement[];
}

/**
 * Parses and checks a policy of `bucket`. Throws MalformedPolicy, PolicyTooLarge. What principals
 * exist is not checked.
 */
export function parsePolicy(body: Uint8Array, bucket: string): BucketPolicy {
  const kind: PolicyKind = {
    bytesMax: POLICY_BYTES_MAX,
    hasPrincipals: true,
    hasResources: true,
    isAction: (action) => action === "*" || ACTION.test(action),
    // S3 takes wildcards in place of the bucket's own name as long as they cover it.
    isResource: (resource) => {
      const [, name] = RESOURCE.exec(resource) ?? [];
      return name !== undefined && matchesPattern(name, bucket);
    },
  };
  const policy = parsePolicyOf(kind, body);
  const statements = policy.statements.map(ofBucket);
  for (const statement of statements) checkFit(statement, bucket);
  return { ...policy, statements };
}

/** The statement, whose kind requires both fields. */
function ofBucket(statement: Statement): PolicyStatement {
  const { principals, resources } = statement;
  if (principals === undefined || resources === undefined) {
    throw malformedPolicy("Invalid policy syntax.");
  }
  return { ...statement, principals, resources };
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
    throw malformedPolicy("Action does not apply to any resource(s) in statement");
  }
}
