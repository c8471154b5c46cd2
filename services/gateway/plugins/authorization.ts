// Who may do what. Asked twice for every request: before anything is looked up (nobody anonymous
// gets past that), and when the owner of the bucket is known. Nothing is open by default; what
// another user owns is closed. The rules stand behind an interface, for policies and grants to
// come.
import type { BucketRecord } from "../../lib/gen/dolium/record/v1/cluster_pb.ts";
import { S3Error } from "../../lib/s3/errors.ts";
import type { Identity, UserIdentity } from "./authentication.ts";

export interface BucketAccess {
  readonly permission: `s3:${string}`;
  readonly bucket: BucketRecord;
  readonly key: string | undefined;
}

export interface Authorizer {
  /** Throws AccessDenied unless `identity` may call the API at all. */
  admit(identity: Identity): asserts identity is UserIdentity;
  /** Throws AccessDenied unless `identity` has the permission in that bucket. */
  allow(identity: Identity, access: BucketAccess): void;
}

/** Users may do everything with what they own; administrators with everything. */
export class OwnerAuthorizer implements Authorizer {
  admit(identity: Identity): asserts identity is UserIdentity {
    if (identity.kind === "anonymous") throw new S3Error("AccessDenied");
  }

  allow(identity: Identity, { bucket }: BucketAccess): void {
    this.admit(identity);
    if (identity.administrator || identity.userId === bucket.owner) return;
    throw new S3Error("AccessDenied");
  }
}
