// CreateBucket. The directory is one state machine, so of two concurrent creations one wins.
// Creating one's own bucket again is 200 in us-east-1 and 409 elsewhere, as on AWS.

import { StoreError } from "../../lib/base/errors.ts";
import { XML_BYTES_MAX } from "../../lib/base/limits.ts";
import { ROOT_GROUP } from "../../lib/clients/groups.ts";
import { Outcome } from "../../lib/gen/dolium/record/v1/command_pb.ts";
import { checkBucketName } from "../../lib/s3/bucket-name.ts";
import { S3Error } from "../../lib/s3/errors.ts";
import { parseCreateBucketConfiguration } from "../../lib/s3/xml-requests.ts";
import { type Answer, emptyAnswer } from "../answer.ts";
import { refuseUnkeptHeaders } from "../data/refused-headers.ts";
import { checkOutcome } from "../error-mapper.ts";
import {
  bucketName,
  callOptions,
  type ServiceContext,
  type ServiceOperation,
} from "../operation.ts";

const LEGACY_REGION = "us-east-1";
const REGION_NAME = /^[A-Za-z0-9-]{1,64}$/;

export const createBucket: ServiceOperation = {
  name: "CreateBucket",
  method: "PUT",
  match: { level: "bucket" },
  permission: "s3:CreateBucket",
  body: "xml",
  bodyBytesMax: XML_BYTES_MAX,
  errors: [
    "AccessControlListNotSupported",
    "BucketAlreadyExists",
    "BucketAlreadyOwnedByYou",
    "IllegalLocationConstraintException",
    "InvalidBucketName",
    "InvalidLocationConstraint",
    "MalformedXML",
    "NotImplemented",
  ],
  page: "CreateBucket",
  scope: "service",
  run,
};

async function run(context: ServiceContext): Promise<Answer> {
  const { gateway, identity, request } = context;
  const { metadata, cluster, buckets } = gateway.dependencies;
  const name = bucketName(context);
  checkBucketName(name);
  refuseBucketHeaders(context);
  const region = regionOf(context);
  const owner = identity.userId;
  const value = { name, owner, region, policy: cluster.defaultPolicy() };
  const kind = { case: "createBucket", value } as const;
  const reply = await metadata.execute(ROOT_GROUP, kind, callOptions(context));
  if (reply.outcome === Outcome.EXISTS) {
    const existing = reply.kind.case === "createBucket" ? reply.kind.value.bucket : undefined;
    checkExisting(context, existing?.owner ?? "");
  } else if (reply.outcome === Outcome.CONFLICT) {
    // The cluster is being set up, or its policies changed just now.
    throw new StoreError("unavailable", reply.message);
  } else {
    checkOutcome(reply.outcome, reply.message);
  }
  buckets.invalidate(name);
  const location = request.address.style === "virtual-host" ? "/" : `/${name}`;
  return emptyAnswer(200, [["Location", location]]);
}

/**
 * Throws unless creating a bucket that exists, with that owner, is as good as having created it.
 */
function checkExisting({ gateway, identity, request }: ServiceContext, owner: string): void {
  const details = [["BucketName", request.address.bucket ?? ""]] as const;
  if (owner !== identity.userId) throw new S3Error("BucketAlreadyExists", undefined, { details });
  if (gateway.settings.region !== LEGACY_REGION) {
    throw new S3Error("BucketAlreadyOwnedByYou", undefined, { details });
  }
}

function refuseBucketHeaders({ request }: ServiceContext): void {
  const { headers } = request;
  refuseUnkeptHeaders(headers);
  const isLocked = headers.get("x-amz-bucket-object-lock-enabled")?.toLowerCase() === "true";
  const ownership = headers.get("x-amz-object-ownership") ?? "BucketOwnerEnforced";
  if (isLocked) throw notImplemented("x-amz-bucket-object-lock-enabled");
  if (ownership !== "BucketOwnerEnforced") throw notImplemented("x-amz-object-ownership");
}

function notImplemented(header: string): S3Error {
  return new S3Error("NotImplemented", undefined, { details: [["Header", header]] });
}

function regionOf({ gateway, document }: ServiceContext): string {
  const { region, strictRegion } = gateway.settings;
  const { locationConstraint, tags } = parseCreateBucketConfiguration(document);
  if (tags.length > 0) {
    throw new S3Error("NotImplemented", "Tags of buckets are not implemented.");
  }
  const wanted = locationConstraint ?? "";
  if (wanted === "" || wanted === region) return region;
  const details = [["LocationConstraint", wanted]] as const;
  if (!REGION_NAME.test(wanted)) {
    throw new S3Error("InvalidLocationConstraint", undefined, { details });
  }
  if (strictRegion) {
    throw new S3Error(
      "IllegalLocationConstraintException",
      `The ${wanted} location constraint is incompatible for the region specific endpoint this ` +
        "request was sent to.",
      { details },
    );
  }
  return wanted;
}
