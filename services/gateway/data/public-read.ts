// Whether everybody may read an object or list a bucket, by access control lists and the bucket's
// policy. Careful where the rest of the request would have to be known: a statement that allows
// under a condition allows nothing here, and one that denies under any condition, or to anybody,
// denies. Evaluating policies for everyone takes the place of this one day. Source: Amazon S3 user
// guide, "How Amazon S3 authorizes a request", "Blocking public access".
import type { BucketRecord } from "../../lib/gen/dolium/record/v1/cluster_pb.ts";
import type { Version } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import { type AclGrant, aclAllows } from "../../lib/s3/settings/acl.ts";
import {
  type BucketPolicy,
  matchesPattern,
  type PolicyList,
  type PolicyStatement,
  parsePolicy,
} from "../../lib/s3/settings/policy.ts";
import type { Gateway } from "../operation.ts";
import { bucketGrants, bucketOwnership, publicAccessBlock } from "./bucket-acl.ts";
import { grantsOfVersion } from "./object-acl.ts";

export interface PublicReadCheck {
  /** True when everybody may get this version of the object. */
  mayRead(bucket: BucketRecord, key: string, version: Version): boolean;
  /** True when everybody may see which objects there are. */
  mayList(bucket: BucketRecord): boolean;
}

type Settings = Pick<Gateway, "bucketSettings">;

const ANONYMOUS = { userId: undefined, groups: [] };

/** The policy of the bucket, or undefined. */
export function bucketPolicy(gateway: Settings, bucket: BucketRecord): BucketPolicy | undefined {
  const parse = (document: Uint8Array): BucketPolicy => parsePolicy(document, bucket.name);
  return gateway.bucketSettings.read(bucket, { name: "policy", parse });
}

export class PublicReads implements PublicReadCheck {
  readonly #gateway: Settings;

  constructor(gateway: Settings) {
    this.#gateway = gateway;
  }

  mayRead(bucket: BucketRecord, key: string, version: Version): boolean {
    const resource = `arn:aws:s3:::${bucket.name}/${key}`;
    return this.#decide(bucket, { action: "s3:GetObject", resource }, () =>
      bucketOwnership(this.#gateway, bucket) === "BucketOwnerEnforced"
        ? []
        : grantsOfVersion(version),
    );
  }

  mayList(bucket: BucketRecord): boolean {
    const resource = `arn:aws:s3:::${bucket.name}`;
    return this.#decide(bucket, { action: "s3:ListBucket", resource }, () =>
      bucketGrants(this.#gateway, bucket),
    );
  }

  #decide(bucket: BucketRecord, asked: Asked, grants: () => readonly AclGrant[]): boolean {
    const policy = bucketPolicy(this.#gateway, bucket);
    const block = publicAccessBlock(this.#gateway, bucket);
    if (policy !== undefined) {
      if (policy.statements.some((statement) => mayDeny(statement, asked))) return false;
      const isAllowed = policy.statements.some((statement) => allowsAll(statement, asked));
      if (isAllowed && !block.restrictPublicBuckets) return true;
    }
    return !block.ignorePublicAcls && aclAllows(grants(), ANONYMOUS, "READ");
  }
}

interface Asked {
  readonly action: string;
  readonly resource: string;
}

function mayDeny(statement: PolicyStatement, asked: Asked): boolean {
  return statement.effect === "Deny" && concerns(statement, asked);
}

function allowsAll(statement: PolicyStatement, asked: Asked): boolean {
  const { effect, principals, conditions } = statement;
  if (effect !== "Allow" || conditions.length > 0 || principals.isNegated) return false;
  const isEverybody = principals.values.some(({ type, value }) => type === "AWS" && value === "*");
  return isEverybody && concerns(statement, asked);
}

function concerns({ actions, resources }: PolicyStatement, { action, resource }: Asked): boolean {
  const hasAction = includes(actions, (pattern) =>
    matchesPattern(pattern.toLowerCase(), action.toLowerCase()),
  );
  return hasAction && includes(resources, (pattern) => matchesPattern(inAws(pattern), resource));
}

function includes(list: PolicyList<string>, matches: (pattern: string) => boolean): boolean {
  return list.values.some(matches) !== list.isNegated;
}

/** The resource in the partition that resources are asked about in. */
function inAws(arn: string): string {
  return arn.replace(/^arn:[^:]*:/, "arn:aws:");
}
