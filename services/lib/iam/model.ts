// The vocabulary of authorization: who asks, for what, what is known of the bucket and the object,
// and what was decided and why. Plain values; no I/O, no clock.
import type { AclGrant } from "../s3/settings/acl.ts";
import type { ObjectOwnership } from "../s3/settings/ownership.ts";
import type { PublicAccessBlock } from "../s3/settings/public-access-block.ts";
import type { Policy } from "./policy.ts";

/** A policy and where it stands, for explanations. */
export interface NamedPolicy {
  /** "inline readonly of user alice_umich", "managed backup of group staff_umich". */
  readonly source: string;
  readonly policy: Policy;
}

export interface AnonymousPrincipal {
  readonly kind: "anonymous";
}

/** Somebody who proved who he is. */
export interface UserPrincipal {
  readonly kind: "user";
  /** `name_org`; the canonical id in owners and grants. Of a service account: its user's name. */
  readonly userId: string;
  /** `arn:aws:iam:::user/alice_umich`, `arn:aws:sts:::assumed-role/reader/session`. */
  readonly arn: string;
  readonly groups: readonly string[];
  /** May do everything, except what a session, boundary or token scope leaves out. */
  readonly administrator: boolean;
  /** Inline and managed policies of the user and of its groups; of the role in a role's session. */
  readonly policies: readonly NamedPolicy[];
  /** Each bounds: what any of them does not allow is denied. Boundary, session policy, scope. */
  readonly bounds: readonly NamedPolicy[];
  /**
   * False: owning a bucket allows nothing by itself; only policies and grants do. So in sessions of
   * a role, and for service accounts that have policies of their own.
   */
  readonly ownsByName: boolean;
}

export type Principal = AnonymousPrincipal | UserPrincipal;

/** What is known of the bucket; nothing for actions on no bucket. */
export interface BucketFacts {
  readonly name: string;
  readonly owner: string;
  readonly policy: Policy | undefined;
  readonly grants: readonly AclGrant[];
  readonly ownership: ObjectOwnership;
  readonly publicAccessBlock: PublicAccessBlock;
}

/** What is known of the version that is asked about. */
export interface ObjectFacts {
  readonly owner: string;
  readonly grants: readonly AclGrant[];
}

/** What is known of the multipart upload that is asked about. */
export interface UploadFacts {
  /** Canonical id of who began it. */
  readonly initiator: string;
}

/**
 * Condition keys of the request in lower case ("aws:sourceip", "s3:prefix",
 * "s3:existingobjecttag/team"), each with its values. A key that is not there is absent.
 */
export type ConditionContext = ReadonlyMap<string, readonly string[]>;

export interface AuthorizationRequest {
  readonly principal: Principal;
  /** "s3:GetObject", "iam:CreateUser", "sts:AssumeRole", "dolium:DrainNode". */
  readonly action: string;
  /** "arn:aws:s3:::bucket/key", "arn:aws:s3:::bucket", or "*" for actions on nothing. */
  readonly resource: string;
  readonly bucket: BucketFacts | undefined;
  /** Undefined: not looked up yet, or there is none. */
  readonly object: ObjectFacts | undefined;
  /** Set for actions on a multipart upload that was begun before. */
  readonly upload?: UploadFacts | undefined;
  readonly context: ConditionContext;
}

/** Which rule decided, in the order in which rules are asked. */
export type DecidedBy =
  | {
      readonly rule: "explicit-deny";
      readonly source: string;
      readonly statement: number;
      readonly sid: string | undefined;
    }
  | { readonly rule: "outside-bound"; readonly source: string }
  | { readonly rule: "restricted-public-bucket" }
  | { readonly rule: "administrator" }
  | { readonly rule: "bucket-owner" }
  | {
      readonly rule: "policy-allow";
      readonly source: string;
      readonly statement: number;
      readonly sid: string | undefined;
    }
  | {
      readonly rule: "acl-grant";
      readonly source: "bucket" | "object";
      readonly permission: string;
    }
  /**
   * Lists are in use, and the object is the caller's: he reads it and its list, and changes that.
   */
  | { readonly rule: "object-owner" }
  /** The caller began the multipart upload: he lists its parts and gives it up. */
  | { readonly rule: "upload-initiator" }
  /** A grant lets the caller write, but not into an upload that somebody else began. */
  | { readonly rule: "not-initiator" }
  /** What every user may do for himself without a policy. */
  | { readonly rule: "own-affairs" }
  | { readonly rule: "unknown-action" }
  | { readonly rule: "no-rule-allows" };

export interface Decision {
  readonly allowed: boolean;
  readonly by: DecidedBy;
}
