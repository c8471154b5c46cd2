// Who a request acts as, in the words of lib/iam. Pure: what the directory says goes in, a principal
// comes out.
import type { UserPrincipal } from "../../lib/iam/model.ts";

/** Somebody of whom nothing but the name is known: the root user, users of a test. */
export function plainPrincipal(userId: string, administrator: boolean): UserPrincipal {
  return {
    kind: "user",
    userId,
    arn: `arn:aws:iam:::user/${userId}`,
    groups: [],
    administrator,
    policies: [],
    bounds: [],
    ownsByName: true,
  };
}
