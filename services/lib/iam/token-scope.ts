// What the scope of an access token leaves of its user's rights, as a policy that bounds them. A
// token without limits is as good as its user; one for some buckets, or for reading or writing
// only, is good for S3 alone.
import { type AccessToken, TokenAccess } from "../gen/dolium/record/v1/identity_pb.ts";
import type { Policy, PolicyCondition, Statement } from "../s3/settings/policy-grammar.ts";
import type { NamedPolicy } from "./model.ts";
import { type ActionAccess, S3_ACTIONS, traitsOf } from "./permissions.ts";

type Scope = Pick<AccessToken, "tokenId" | "buckets" | "access" | "networks">;

const READING: readonly ActionAccess[] = ["read", "list"];
const WRITING: readonly ActionAccess[] = ["write", "tagging"];
/** Looking, in the admin API. */
const ADMIN_READING = ["iam:Get*", "iam:List*", "dolium:Get*", "dolium:List*"];

/**
 * The bound of a token: its buckets (none named: all, and what is on no bucket), reading, writing
 * or both, from its networks. Who may only write makes, replaces and deletes objects and their
 * tags, but neither reads them nor says who may. A token for named buckets does not list the user's
 * others.
 */
export function tokenScopePolicy(token: Scope): NamedPolicy {
  const { tokenId, buckets, access, networks } = token;
  const isWide = buckets.length === 0;
  const statement: Statement = {
    sid: undefined,
    effect: "Allow",
    principals: undefined,
    actions: { isNegated: false, values: actionsOf(access, isWide) },
    resources: { isNegated: false, values: isWide ? ["*"] : buckets.flatMap(arnsOf) },
    conditions: networks.length === 0 ? [] : [fromNetworks(networks)],
  };
  // An older version, so that no name is taken for a variable.
  const policy: Policy = { version: "2008-10-17", id: undefined, statements: [statement] };
  return { source: `scope of access token ${tokenId}`, policy };
}

/** Names of buckets hold no wildcards. */
function arnsOf(bucket: string): readonly string[] {
  return [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`];
}

function fromNetworks(values: readonly string[]): PolicyCondition {
  return {
    operator: "IpAddress",
    qualifier: undefined,
    ifExists: false,
    key: "aws:SourceIp",
    values,
  };
}

function actionsOf(access: TokenAccess, isWide: boolean): readonly string[] {
  switch (access) {
    case TokenAccess.READ_WRITE:
      return isWide ? ["*"] : ["s3:*"];
    case TokenAccess.READ:
      return isWide ? [...withAccess(READING), ...ADMIN_READING] : withAccess(READING);
    case TokenAccess.WRITE:
      return [...withAccess(WRITING), "s3:ListMultipartUploadParts"];
    // Unspecified, or a word of a later version.
    default:
      return [];
  }
}

function withAccess(wanted: readonly ActionAccess[]): readonly string[] {
  return S3_ACTIONS.filter((action) => {
    const traits = traitsOf(action);
    return traits !== undefined && wanted.includes(traits.access);
  });
}
