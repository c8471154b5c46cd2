// Who may do what: one pure function that every request, of every interface, is put to. Nothing is
// open by default. Rules are asked in AWS's order: what any policy denies is denied; what any bound
// leaves out is denied; then one rule that allows is enough. Source: AWS IAM user guide, "Policy
// evaluation logic"; Amazon S3 user guide, "How Amazon S3 authorizes a request", "Controlling
// ownership of objects", "Blocking public access to your Amazon S3 storage", "Multipart upload API
// and permissions".
import {
  type AclGrant,
  type AclSubject,
  ALL_USERS,
  AUTHENTICATED_USERS,
  aclAllows,
} from "../s3/settings/acl.ts";
import { isPublicPolicy } from "../s3/settings/policy-status.ts";
import type { AuthorizationRequest, BucketFacts, DecidedBy, Decision, Principal } from "./model.ts";
import {
  aclRuleOf,
  isInitiatorsAffair,
  isOpenToUsers,
  isOwnAction,
  isOwnersAffair,
  traitsOf,
} from "./permissions.ts";
import {
  findStatement,
  mentionsTags,
  type Question,
  type StatementMatch,
  type TagAssumption,
  userArn,
} from "./statement-match.ts";

/**
 * Decides about a request, by what is known of it. Pure; time grows with the size of the policies.
 */
export function evaluate(request: AuthorizationRequest): Decision {
  return decide(request, "as-known");
}

/**
 * Whether knowing the version that is asked about (its owner, grants and tags) could turn the
 * decision. Never once `request.object` is there.
 */
export function needsObject(request: AuthorizationRequest): boolean {
  const { object, bucket, action, principal } = request;
  if (object !== undefined || traitsOf(action)?.level !== "object") return false;
  const hasLists = bucket !== undefined && bucket.ownership !== "BucketOwnerEnforced";
  const own = principal.kind === "user" ? [...principal.policies, ...principal.bounds] : [];
  const policies = own.map(({ policy }) => policy).concat(bucket?.policy ?? []);
  // Most requests stop here: neither lists nor tags have a part in them.
  if (!(hasLists && isOwnersAffair(action)) && !policies.some(mentionsTags)) return false;
  return decide(request, "best").allowed !== decide(request, "worst").allowed;
}

const ACTION = /^[a-z0-9-]+:[A-Za-z]+$/;
const POLICY_ACTIONS: ReadonlySet<string> = new Set([
  "s3:GetBucketPolicy",
  "s3:PutBucketPolicy",
  "s3:DeleteBucketPolicy",
]);

function decide(request: AuthorizationRequest, tags: TagAssumption): Decision {
  const { principal, action } = request;
  if (!isKnown(action)) return refused({ rule: "unknown-action" });
  // Everybody may ask who he is, whatever policies say.
  if (action === "sts:GetCallerIdentity" && principal.kind === "user") {
    return allowed({ rule: "own-affairs" });
  }
  const resource = resourceOf(request);
  const question: Question = { ...request, resource, caller: principal, tags };
  const denial = denialOf(request, question) ?? outsideBound(principal, question);
  if (denial !== undefined) return refused(denial);
  return allowanceOf(request, question);
}

/** What is on no bucket in particular is on all of them, which policies write in two ways. */
function resourceOf({ action, resource }: AuthorizationRequest): string {
  return resource === "*" && traitsOf(action)?.level === "service" ? "arn:aws:s3:::*" : resource;
}

function isKnown(action: string): boolean {
  return ACTION.test(action) && (!action.startsWith("s3:") || traitsOf(action) !== undefined);
}

function allowed(by: DecidedBy): Decision {
  return { allowed: true, by };
}

function refused(by: DecidedBy): Decision {
  return { allowed: false, by };
}

/** The bucket and its policy, for actions that its policy and owner are asked about. */
function bucketOf({ bucket, action }: AuthorizationRequest): BucketFacts | undefined {
  return action.startsWith("s3:") ? bucket : undefined;
}

function denialOf(request: AuthorizationRequest, question: Question): DecidedBy | undefined {
  const { principal, action } = request;
  const own = principal.kind === "user" ? [...principal.policies, ...principal.bounds] : [];
  for (const { source, policy } of own) {
    const match = findStatement({ policy, holder: "identity" }, "Deny", question);
    if (match !== undefined) return { rule: "explicit-deny", source, ...match };
  }
  const bucket = bucketOf(request);
  // As the root of an account on AWS: nobody can lock himself out of his bucket's policy.
  if (POLICY_ACTIONS.has(action) && isMaster(principal, bucket)) return undefined;
  const match = statementOfBucket(bucket, "Deny", question);
  if (match === undefined) return undefined;
  return { rule: "explicit-deny", source: policySource(bucket), ...match };
}

function policySource(bucket: BucketFacts | undefined): string {
  return `policy of bucket ${bucket?.name ?? ""}`;
}

function statementOfBucket(
  bucket: BucketFacts | undefined,
  effect: "Allow" | "Deny",
  question: Question,
): StatementMatch | undefined {
  const policy = bucket?.policy;
  if (policy === undefined) return undefined;
  return findStatement({ policy, holder: "resource" }, effect, question);
}

function outsideBound(principal: Principal, question: Question): DecidedBy | undefined {
  if (principal.kind === "anonymous") return undefined;
  const closed = principal.bounds.find(
    ({ policy }) => findStatement({ policy, holder: "identity" }, "Allow", question) === undefined,
  );
  return closed === undefined ? undefined : { rule: "outside-bound", source: closed.source };
}

/** Administrators, and the bucket's owner. */
function isMaster(principal: Principal, bucket: BucketFacts | undefined): boolean {
  if (principal.kind === "anonymous") return false;
  return principal.administrator || owns(principal, bucket?.owner);
}

function owns(principal: Principal, owner: string | undefined): boolean {
  return principal.kind === "user" && principal.ownsByName && principal.userId === owner;
}

function allowanceOf(request: AuthorizationRequest, question: Question): Decision {
  const { principal } = request;
  if (principal.kind === "user") {
    if (principal.administrator) return allowed({ rule: "administrator" });
    if (isOwnAffair(request)) return allowed({ rule: "own-affairs" });
    for (const { source, policy } of principal.policies) {
      const match = findStatement({ policy, holder: "identity" }, "Allow", question);
      if (match !== undefined) return allowed({ rule: "policy-allow", source, ...match });
    }
  }
  const bucket = bucketOf(request);
  if (bucket === undefined) return refused({ rule: "no-rule-allows" });
  return allowanceInBucket(request, bucket, question);
}

function isOwnAffair({ principal, action, resource }: AuthorizationRequest): boolean {
  if (principal.kind === "anonymous" || !principal.ownsByName) return false;
  if (isOpenToUsers(action)) return true;
  // Not a service account, which goes by another ARN than the user it acts for.
  const isHimself = principal.arn === userArn(principal.userId);
  if (action === "sts:GetSessionToken") return isHimself;
  return isHimself && resource === principal.arn && isOwnAction(action);
}

function allowanceInBucket(
  request: AuthorizationRequest,
  bucket: BucketFacts,
  question: Question,
): Decision {
  const { principal } = request;
  const isForeign = isForeignObject(request, bucket, question.tags);
  if (!isForeign && owns(principal, bucket.owner)) return allowed({ rule: "bucket-owner" });
  const match = isForeign ? undefined : statementOfBucket(bucket, "Allow", question);
  const isRestricted = match !== undefined && isHeldBack(bucket);
  if (match !== undefined && !isRestricted) {
    return allowed({ rule: "policy-allow", source: policySource(bucket), ...match });
  }
  const isBegun = isInitiator(request);
  if (isBegun && isInitiatorsAffair(request.action)) return allowed({ rule: "upload-initiator" });
  const granted = grantOf(request, bucket, question.tags);
  if (granted !== undefined) {
    const isOthers = request.upload !== undefined && !isBegun;
    return isOthers ? refused({ rule: "not-initiator" }) : allowed(granted);
  }
  return refused({ rule: isRestricted ? "restricted-public-bucket" : "no-rule-allows" });
}

/**
 * Whether what is asked is the affair of another than the bucket's owner: what others may read, and
 * who may, says the list of the object then, not the bucket's owner and not his policy.
 */
function isForeignObject(
  { action, object }: AuthorizationRequest,
  bucket: BucketFacts,
  tags: TagAssumption,
): boolean {
  if (bucket.ownership === "BucketOwnerEnforced" || !isOwnersAffair(action)) return false;
  return object === undefined ? tags === "worst" : object.owner !== bucket.owner;
}

/** Whether the upload that is asked about was begun by the caller; nobody known began none. */
function isInitiator({ principal, upload }: AuthorizationRequest): boolean {
  return principal.kind === "user" && upload?.initiator === principal.userId;
}

/** A public policy that lets nobody in; owner and administrators have passed before. */
function isHeldBack({ policy, publicAccessBlock }: BucketFacts): boolean {
  return publicAccessBlock.restrictPublicBuckets && policy !== undefined && isPublicPolicy(policy);
}

/** The grant of a list that allows what is asked. */
function grantOf(
  { principal, action, object }: AuthorizationRequest,
  bucket: BucketFacts,
  tags: TagAssumption,
): DecidedBy | undefined {
  const rule = aclRuleOf(action);
  if (rule === undefined || bucket.ownership === "BucketOwnerEnforced") return undefined;
  const { list, permission } = rule;
  const granted = { rule: "acl-grant", source: list, permission } as const;
  if (list === "object" && object === undefined) return tags === "best" ? granted : undefined;
  if (list === "object" && owns(principal, object?.owner)) return { rule: "object-owner" };
  const written = list === "object" ? (object?.grants ?? []) : bucket.grants;
  const grants = written.filter((grant) => counts(grant, bucket));
  return aclAllows(grants, subjectOf(principal), permission) ? granted : undefined;
}

function counts({ grantee }: AclGrant, { publicAccessBlock }: BucketFacts): boolean {
  if (!publicAccessBlock.ignorePublicAcls || grantee.kind === "user") return true;
  return grantee.uri !== ALL_USERS && grantee.uri !== AUTHENTICATED_USERS;
}

function subjectOf(principal: Principal): AclSubject {
  if (principal.kind === "anonymous") return { userId: undefined, groups: [] };
  return { userId: principal.userId, groups: principal.groups };
}
