// Who a request acts for, where that may be nobody: the id that owns what is written, the name that
// documents show, and what policies are asked about.
import type { Principal } from "../../../lib/iam/model.ts";
import type { Identity } from "../../plugins/authentication.ts";

/** Canonical id of the anonymous user, as Amazon S3 has it in the owners of objects. */
export const ANONYMOUS_ID = "65a011a29cdf8ec533ec3d1ccaae921c";

/** Owner of what the caller makes. */
export function callerId(identity: Identity): string {
  return identity.kind === "user" ? identity.userId : ANONYMOUS_ID;
}

export function principalOf(identity: Identity): Principal {
  return identity.kind === "user" ? identity.principal : { kind: "anonymous" };
}
