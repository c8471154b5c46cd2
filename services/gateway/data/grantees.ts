// Whom a grant means. Canonical ids are taken as they are written: a grant to an id that nobody has
// gives nothing to anybody. E-mail addresses and groups of users are not known to a gateway.
import type { GranteeResolver } from "../../lib/s3/settings/acl.ts";

export const resolveGrantee: GranteeResolver = async ({ kind, value }) =>
  kind === "id" ? value : undefined;
