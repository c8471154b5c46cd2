// Who may become a role: the role's trust policy names him, none of his own policies denies it, and
// every bound on him lets it pass. An administrator needs to be named like everybody else. Source:
// AWS IAM user guide, "Policy evaluation logic"; AWS STS API reference, AssumeRole,
// AssumeRoleWithWebIdentity.
import type { ConditionContext, Decision, NamedPolicy } from "./model.ts";
import { type Caller, findStatement, type Question } from "./statement-match.ts";

export interface TrustRequest {
  /** Federated: whoever the identity provider `provider` (its issuer or ARN) vouches for. */
  readonly caller: Caller;
  readonly action: "sts:AssumeRole" | "sts:AssumeRoleWithWebIdentity";
  /** "arn:aws:iam:::role/reader". */
  readonly role: string;
  /** The role's trust policy. */
  readonly trust: NamedPolicy;
  readonly context: ConditionContext;
}

export function evaluateTrust({ caller, action, role, trust, context }: TrustRequest): Decision {
  const question: Question = { caller, action, resource: role, context, tags: "as-known" };
  const ofRole = { policy: trust.policy, holder: "resource" } as const;
  const denied = findStatement(ofRole, "Deny", question);
  if (denied !== undefined) return refused(trust.source, denied);
  if (caller.kind === "user") {
    for (const { source, policy } of [...caller.policies, ...caller.bounds]) {
      const match = findStatement({ policy, holder: "identity" }, "Deny", question);
      if (match !== undefined) return refused(source, match);
    }
    const closed = caller.bounds.find(
      ({ policy }) =>
        findStatement({ policy, holder: "identity" }, "Allow", question) === undefined,
    );
    if (closed !== undefined) {
      return { allowed: false, by: { rule: "outside-bound", source: closed.source } };
    }
  }
  const match = caller.kind === "anonymous" ? undefined : findStatement(ofRole, "Allow", question);
  if (match === undefined) return { allowed: false, by: { rule: "no-rule-allows" } };
  return { allowed: true, by: { rule: "policy-allow", source: trust.source, ...match } };
}

function refused(
  source: string,
  match: { readonly statement: number; readonly sid: string | undefined },
): Decision {
  return { allowed: false, by: { rule: "explicit-deny", source, ...match } };
}
