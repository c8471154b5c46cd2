// Actions of S3 as policies name them: what each concerns (the service, a bucket, an object) and
// what kind of access it is, and which of them a grant of an access control list gives. An action
// that is not here is allowed to nobody. Source: AWS service authorization reference, "Actions,
// resources, and condition keys for Amazon S3"; Amazon S3 user guide, "Access control list (ACL)
// overview", Mapping of ACL permissions and access policy permissions.
import type { AclPermission } from "../s3/settings/acl.ts";

/** What the resource of an action is. */
export type ActionLevel = "service" | "bucket" | "object";
/** Levels of access, as AWS sorts them. */
export type ActionAccess = "read" | "list" | "write" | "tagging" | "permissions";

export interface ActionTraits {
  readonly level: ActionLevel;
  readonly access: ActionAccess;
}

/** Names after `s3:`, by level and access. */
const NAMES: readonly (readonly [ActionLevel, ActionAccess, string])[] = [
  ["service", "list", "ListAllMyBuckets"],
  ["bucket", "list", "ListBucket ListBucketVersions ListBucketMultipartUploads"],
  [
    "bucket",
    "read",
    `GetAccelerateConfiguration GetAnalyticsConfiguration GetBucketAcl GetBucketCORS
    GetBucketLocation GetBucketLogging GetBucketNotification GetBucketObjectLockConfiguration
    GetBucketOwnershipControls GetBucketPolicy GetBucketPolicyStatus GetBucketPublicAccessBlock
    GetBucketRequestPayment GetBucketTagging GetBucketVersioning GetBucketWebsite
    GetEncryptionConfiguration GetIntelligentTieringConfiguration GetInventoryConfiguration
    GetLifecycleConfiguration GetMetricsConfiguration GetReplicationConfiguration`,
  ],
  [
    "bucket",
    "write",
    `CreateBucket DeleteBucket DeleteBucketWebsite PutAccelerateConfiguration
    PutAnalyticsConfiguration PutBucketCORS PutBucketLogging PutBucketNotification
    PutBucketObjectLockConfiguration PutBucketRequestPayment PutBucketVersioning PutBucketWebsite
    PutEncryptionConfiguration PutIntelligentTieringConfiguration PutInventoryConfiguration
    PutLifecycleConfiguration PutMetricsConfiguration PutReplicationConfiguration`,
  ],
  ["bucket", "tagging", "PutBucketTagging"],
  [
    "bucket",
    "permissions",
    `DeleteBucketPolicy PutBucketAcl PutBucketOwnershipControls PutBucketPolicy
    PutBucketPublicAccessBlock`,
  ],
  ["object", "list", "ListMultipartUploadParts"],
  [
    "object",
    "read",
    `GetObject GetObjectAcl GetObjectAttributes GetObjectLegalHold GetObjectRetention
    GetObjectTagging GetObjectTorrent GetObjectVersion GetObjectVersionAcl
    GetObjectVersionAttributes GetObjectVersionForReplication GetObjectVersionTagging
    GetObjectVersionTorrent`,
  ],
  [
    "object",
    "write",
    `AbortMultipartUpload DeleteObject DeleteObjectVersion PutObject PutObjectLegalHold
    PutObjectRetention RenameObject ReplicateDelete ReplicateObject RestoreObject`,
  ],
  [
    "object",
    "tagging",
    `DeleteObjectTagging DeleteObjectVersionTagging PutObjectTagging PutObjectVersionTagging
    ReplicateTags`,
  ],
  [
    "object",
    "permissions",
    "BypassGovernanceRetention ObjectOwnerOverrideToBucketOwner PutObjectAcl PutObjectVersionAcl",
  ],
];

const ACTIONS: ReadonlyMap<string, ActionTraits> = new Map(
  NAMES.flatMap(([level, access, names]) =>
    names.split(/\s+/).map((name) => [`s3:${name}`, { level, access }] as const),
  ),
);

/** Every action of S3. */
export const S3_ACTIONS: readonly string[] = [...ACTIONS.keys()];

/** Undefined for what is no action of S3; names count with their case. */
export function traitsOf(action: string): ActionTraits | undefined {
  return ACTIONS.get(action);
}

export interface AclRule {
  /** Whose list is asked. */
  readonly list: "bucket" | "object";
  readonly permission: Exclude<AclPermission, "FULL_CONTROL">;
}

const RULES: readonly (readonly [AclRule["list"], AclRule["permission"], readonly string[]])[] = [
  ["bucket", "READ", ["ListBucket", "ListBucketVersions", "ListBucketMultipartUploads"]],
  ["bucket", "WRITE", ["PutObject", "DeleteObject"]],
  ["bucket", "READ_ACP", ["GetBucketAcl"]],
  ["bucket", "WRITE_ACP", ["PutBucketAcl"]],
  ["object", "READ", ["GetObject", "GetObjectVersion", "GetObjectTorrent"]],
  ["object", "READ_ACP", ["GetObjectAcl", "GetObjectVersionAcl"]],
  ["object", "WRITE_ACP", ["PutObjectAcl", "PutObjectVersionAcl"]],
];

const RULE_OF_ACTION: ReadonlyMap<string, AclRule> = new Map(
  RULES.flatMap(([list, permission, names]) =>
    names.map((name) => [`s3:${name}`, { list, permission }] as const),
  ),
);

/** Which permission of which list gives `action`; undefined: none does. */
export function aclRuleOf(action: string): AclRule | undefined {
  return RULE_OF_ACTION.get(action);
}

/** Reads and ACL actions, which the owner of an object decides while lists are in use. */
const OWNERS_AFFAIR: ReadonlySet<string> = new Set(
  RULES.flatMap(([list, , names]) => (list === "object" ? names : []))
    .concat(["GetObjectAttributes", "GetObjectVersionAttributes"])
    .map((name) => `s3:${name}`),
);

/** Whether `action` on an object is its owner's affair, not that of the bucket's owner. */
export function isOwnersAffair(action: string): boolean {
  return OWNERS_AFFAIR.has(action);
}

/** What whoever began a multipart upload may do with it without a policy or a grant. */
export function isInitiatorsAffair(action: string): boolean {
  return action === "s3:AbortMultipartUpload" || action === "s3:ListMultipartUploadParts";
}

/** What every user may do without a policy; who may not, a bound or a limit says. */
export function isOpenToUsers(action: string): boolean {
  return action === "s3:CreateBucket" || action === "s3:ListAllMyBuckets";
}

/** What a user may do to himself: look, and handle what he signs in with. */
const OWN_ACTIONS: ReadonlySet<string> = new Set(
  [
    ...["GetUser", "ListAccessKeys", "CreateAccessKey", "UpdateAccessKey", "DeleteAccessKey"],
    ...["GetAccessKeyLastUsed", "ListGroupsForUser", "ListUserPolicies", "GetUserPolicy"],
    ...["ListAttachedUserPolicies", "SimulatePrincipalPolicy"],
    ...["ListSigningCertificates", "UploadSigningCertificate", "DeleteSigningCertificate"],
  ].map((name) => `iam:${name}`),
);
const OWN_TOKENS = /^dolium:(?:Create|Get|List|Rotate|Update|Delete)(?:Access)?Tokens?$/;

export function isOwnAction(action: string): boolean {
  return OWN_ACTIONS.has(action) || OWN_TOKENS.test(action) || action === "sts:GetSessionToken";
}
