// Actions and resources of policies against those of a request. Actions match without regard to
// case, resources with. Partition, and the account of IAM's own ARNs, say nothing here: there is
// one of each. Source: AWS IAM user guide, "IAM JSON policy elements: Action", "Resource".
import { matchesPattern } from "../s3/settings/policy-pattern.ts";
import { type ExpandedText, expandVariables } from "../s3/settings/policy-variables.ts";

/** Partitions that policies written for other stores name; `aws` is meant. */
const PARTITION = /^arn:(?:aws-[a-z-]+|dolium|minio):/;
const IAM_ARN = /^(arn:[^:]*:(?:iam|sts):)[^:]*:[^:]*:/;

export function matchesAction(pattern: string, action: string): boolean {
  return matchesPattern(pattern, action, { ignoreCase: true });
}

/** What a variable in lower case stands for. */
export type VariableValues = (key: string) => string | undefined;

/**
 * Whether `resource` is one that `pattern` names. `values` undefined: `${...}` are characters like
 * others. A variable without a value matches nothing.
 */
export function matchesResource(
  pattern: string,
  resource: string,
  values: VariableValues | undefined,
): boolean {
  const expanded = expand(plainArn(pattern), values);
  return (
    expanded !== undefined && matchesPattern(expanded.text, plainArn(resource), expanded.options)
  );
}

/** `text` with its variables replaced; undefined when one has no value. */
export function expand(text: string, values: VariableValues | undefined): ExpandedText | undefined {
  return values === undefined ? { text, options: {} } : expandVariables(text, values);
}

/** The ARN in the one partition, and for IAM and STS in the one account. */
export function plainArn(arn: string): string {
  if (arn.startsWith("arn:aws:s3:")) return arn;
  return arn.replace(PARTITION, "arn:aws:").replace(IAM_ARN, "$1::");
}
