// What a bucket starts with: region, placement policy and settings, from the headers and the body
// of CreateBucket and the settings of the gateway. Source: Amazon S3 API reference, CreateBucket.
import { utf8 } from "../../lib/base/bytes.ts";
import { invalidArgument, S3Error } from "../../lib/s3/errors.ts";
import type { HeaderList } from "../../lib/s3/headers.ts";
import { aclDocument, isPublicAcl, parseAclHeaders } from "../../lib/s3/settings/acl.ts";
import {
  type ObjectOwnership,
  ownershipDocument,
  parseOwnershipHeader,
} from "../../lib/s3/settings/ownership.ts";
import { publicAccessBlockDocument } from "../../lib/s3/settings/public-access-block.ts";
import { checkTags, taggingDocument } from "../../lib/s3/settings/tagging.ts";
import { parseCreateBucketConfiguration, type Tag } from "../../lib/s3/xml-requests.ts";
import type { S3Settings } from "../config.ts";
import type { Gateway, UserContext } from "../operation.ts";
import { grantsOfHeaders, isOwnersAlone } from "./bucket-acl.ts";
import type { SettingName } from "./bucket-settings.ts";
import { bucketTagLimits } from "./bucket-tags.ts";
import { policyNamed } from "./placement-policies.ts";

const REGION_NAME = /^[A-Za-z0-9-]{1,64}$/;
const ALL_BLOCKED = {
  blockPublicAcls: true,
  ignorePublicAcls: true,
  blockPublicPolicy: true,
  restrictPublicBuckets: true,
};

export interface NewBucket {
  readonly region: string;
  /** Undefined: the cluster's default. */
  readonly policy: string | undefined;
  readonly objectLock: boolean;
  readonly settings: { readonly name: SettingName; readonly document: Uint8Array }[];
}

/**
 * What the request asks for. Throws IllegalLocationConstraintException, InvalidArgument,
 * InvalidBucketAclWithBlockPublicAccessError, InvalidBucketAclWithObjectOwnership, InvalidRequest,
 * InvalidLocationConstraint, InvalidTag, MalformedXML, UnresolvableGrantByEmailAddress.
 */
export async function newBucketOf(context: UserContext): Promise<NewBucket> {
  const { document, gateway, request } = context;
  const { headers } = request;
  const { settings } = gateway;
  const { locationConstraint, tags } = parseCreateBucketConfiguration(document);
  const place = placeOf(gateway, locationConstraint ?? "");
  const ownership = parseOwnershipHeader(headers) ?? settings.objectOwnership;
  const documents = new Map<SettingName, string | undefined>([
    ["acl", await aclOf(context, ownership)],
    ["ownership", ownershipDocument(ownership)],
    ["public-access-block", blockOf(settings)],
    ["tagging", tagsOf(settings, tags)],
  ]);
  return { ...place, objectLock: wantsLock(headers), settings: settingList(documents) };
}

/** By name, ascending; what is undefined is left out. */
function settingList(
  documents: ReadonlyMap<SettingName, string | undefined>,
): NewBucket["settings"] {
  return [...documents].flatMap(([name, text]) =>
    text === undefined ? [] : [{ name, document: utf8(text) }],
  );
}

async function aclOf(
  context: UserContext,
  ownership: ObjectOwnership,
): Promise<string | undefined> {
  const { request, gateway, identity } = context;
  const { settings } = gateway;
  const { userId: ownerId } = identity;
  const asked = parseAclHeaders(request.headers);
  if (asked.kind === "none") return undefined;
  const grants = await grantsOfHeaders(context, asked, ownerId);
  if (isOwnersAlone(grants, ownerId)) return undefined;
  if (ownership === "BucketOwnerEnforced") throw new S3Error("InvalidBucketAclWithObjectOwnership");
  if (settings.blockPublicAccess && isPublicAcl(grants)) {
    throw new S3Error("InvalidBucketAclWithBlockPublicAccessError");
  }
  return aclDocument({ ownerId, grants });
}

function blockOf(settings: S3Settings): string | undefined {
  return settings.blockPublicAccess ? publicAccessBlockDocument(ALL_BLOCKED) : undefined;
}

function tagsOf(settings: S3Settings, tags: readonly Tag[]): string | undefined {
  if (tags.length === 0) return undefined;
  checkTags(tags, bucketTagLimits(settings));
  return taggingDocument(tags);
}

function wantsLock(headers: HeaderList): boolean {
  const name = "x-amz-bucket-object-lock-enabled";
  const text = headers.get(name)?.toLowerCase() ?? "false";
  if (text === "true" || text === "false") return text === "true";
  throw invalidArgument(`The header ${name} must be true or false.`, name, text);
}

/** A location constraint may name a placement policy; any other is the region of the bucket. */
function placeOf(
  { settings, dependencies }: Gateway,
  wanted: string,
): Pick<NewBucket, "region" | "policy"> {
  const { region, strictRegion, locations } = settings;
  const { cluster } = dependencies;
  const refusal = "InvalidLocationConstraint";
  const policy = policyNamed(locations, wanted, { cluster, refusal });
  if (wanted === "" || wanted === region) return { region, policy };
  const details = [["LocationConstraint", wanted]] as const;
  if (policy === undefined && !REGION_NAME.test(wanted)) {
    throw new S3Error("InvalidLocationConstraint", undefined, { details });
  }
  if (policy === undefined && strictRegion) {
    throw new S3Error(
      "IllegalLocationConstraintException",
      `The ${wanted} location constraint is incompatible for the region specific endpoint this ` +
        "request was sent to.",
      { details },
    );
  }
  return { region: wanted, policy };
}
