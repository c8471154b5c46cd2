// Who may do what: the rules of lib/iam, behind an interface, so that a test can watch what is
// asked. Nothing is open by default; what another user owns is closed unless a policy or a grant
// opens it.
import { evaluate, needsObject } from "../../lib/iam/evaluate.ts";
import type { AuthorizationRequest, Decision } from "../../lib/iam/model.ts";
import { S3Error } from "../../lib/s3/errors.ts";
import type { Identity, UserIdentity } from "./authentication.ts";

export interface Authorizer {
  /** Decides about what is known. */
  decide(request: AuthorizationRequest): Decision;
  /** Whether knowing the version that is asked about could change the decision. */
  needsObject(request: AuthorizationRequest): boolean;
}

export class PolicyAuthorizer implements Authorizer {
  decide(request: AuthorizationRequest): Decision {
    return evaluate(request);
  }

  needsObject(request: AuthorizationRequest): boolean {
    return needsObject(request);
  }
}

/** Throws AccessDenied for requests that nobody signed. */
export function refuseAnonymous(identity: Identity): asserts identity is UserIdentity {
  if (identity.kind === "anonymous") throw new S3Error("AccessDenied");
}
