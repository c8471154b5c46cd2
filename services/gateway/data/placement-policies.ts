// The placement policies that the settings name. A gateway that knows the policies of its cluster
// does not start with a name which is not among them; one that learns of them later refuses what
// would use the name.
import { StoreError } from "../../lib/base/errors.ts";
import { S3Error, type S3ErrorCode } from "../../lib/s3/errors.ts";
import type { S3Settings } from "../config.ts";
import type { Policies } from "../dependencies.ts";

export type PolicySettings = Pick<S3Settings, "locations" | "storageClasses">;

/** Throws StoreError "invalid", naming the setting, for a policy that the cluster has not. */
export function checkPolicies(settings: PolicySettings, cluster: Policies): void {
  for (const setting of ["storageClasses", "locations"] as const) {
    for (const [name, policy] of Object.entries(settings[setting])) {
      if (cluster.hasPolicy(policy) !== false) continue;
      const message = `s3.${setting}: ${name} names the placement policy ${policy}`;
      throw new StoreError("invalid", `${message}, which the cluster does not have`);
    }
  }
}

/**
 * The policy that `names` has for `name`, or undefined for none. Throws `refusal` when the cluster
 * is known not to have it.
 */
export function policyNamed(
  names: Readonly<Record<string, string>>,
  name: string,
  options: { readonly cluster: Policies; readonly refusal: S3ErrorCode },
): string | undefined {
  const policy = Object.hasOwn(names, name) ? names[name] : undefined;
  if (policy === undefined || options.cluster.hasPolicy(policy) !== false) return policy;
  throw new S3Error(
    options.refusal,
    `${name} is placed by the policy ${policy}, which this cluster does not have.`,
    { details: [["Policy", policy]] },
  );
}
