// Users, buckets and requests for the tests of authorization, each with what most tests want.
import { evaluate } from "../../../services/lib/iam/evaluate.ts";
import type {
  AuthorizationRequest,
  BucketFacts,
  NamedPolicy,
  UserPrincipal,
} from "../../../services/lib/iam/model.ts";
import { type Policy, parseIdentityPolicy } from "../../../services/lib/iam/policy.ts";
import { parsePolicy } from "../../../services/lib/s3/settings/policy.ts";

export const BUCKET = "data";
export const BUCKET_ARN = `arn:aws:s3:::${BUCKET}`;
export const VERSION = "2012-10-17";

/** A policy variable, which must not look like a template. */
export function variable(inside: string): string {
  return `$${"{"}${inside}}`;
}

export type Json = Readonly<Record<string, unknown>>;

export function document(...statements: readonly Json[]): string {
  return JSON.stringify({ Version: VERSION, Statement: statements });
}

export function identityPolicy(...statements: readonly Json[]): Policy {
  return parseIdentityPolicy(document(...statements));
}

export function named(source: string, ...statements: readonly Json[]): NamedPolicy {
  return { source, policy: identityPolicy(...statements) };
}

export function bucketPolicy(...statements: readonly Json[]): Policy {
  return parsePolicy(Buffer.from(document(...statements)), BUCKET);
}

/** A statement that allows everything on everything. */
export const ALL = { Effect: "Allow", Action: "*", Resource: "*" };

export function user(userId: string, change: Partial<UserPrincipal> = {}): UserPrincipal {
  return {
    kind: "user",
    userId,
    arn: `arn:aws:iam:::user/${userId}`,
    groups: [],
    administrator: false,
    policies: [],
    bounds: [],
    ownsByName: true,
    ...change,
  };
}

/** Owned by alice_umich, access control lists off, nothing blocked. */
export function bucket(change: Partial<BucketFacts> = {}): BucketFacts {
  return {
    name: BUCKET,
    owner: "alice_umich",
    policy: undefined,
    grants: [],
    ownership: "BucketOwnerEnforced",
    publicAccessBlock: {
      blockPublicAcls: false,
      ignorePublicAcls: false,
      blockPublicPolicy: false,
      restrictPublicBuckets: false,
    },
    ...change,
  };
}

/** bob_wayne gets `data/key`. */
export function request(change: Partial<AuthorizationRequest> = {}): AuthorizationRequest {
  return {
    principal: user("bob_wayne"),
    action: "s3:GetObject",
    resource: `${BUCKET_ARN}/key`,
    bucket: bucket(),
    object: undefined,
    context: new Map(),
    ...change,
  };
}

export const ANONYMOUS = { kind: "anonymous" } as const;

export const OBJECTS = `${BUCKET_ARN}/*`;
export const OWNER = user("alice_umich");
export const ADMINISTRATOR = user("root", { administrator: true });

/** The rule that decided, with a minus before it where it refused. */
export function ruleOf(change: Partial<AuthorizationRequest>): string {
  const { allowed, by } = evaluate(request(change));
  return `${allowed ? "" : "-"}${by.rule}`;
}

export function everybody(change: Json = {}): Json {
  return {
    Effect: "Allow",
    Principal: "*",
    Action: "s3:GetObject",
    Resource: OBJECTS,
    ...change,
  };
}

export function withPolicy(...statements: readonly Json[]): BucketFacts {
  return bucket({ policy: bucketPolicy(...statements) });
}
