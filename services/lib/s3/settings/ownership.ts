// Object ownership of a bucket: who owns what others upload, and whether access control lists count
// at all. Parses PutBucketOwnershipControls and the header of CreateBucket, writes
// GetBucketOwnershipControls. Source: Amazon S3 user guide, "Controlling ownership of objects".
import { openDocument } from "../document-parts.ts";
import { invalidArgument } from "../errors.ts";
import type { HeaderList } from "../headers.ts";
import { requiredChild, requiredChoice } from "../xml-fields.ts";
import { checkShape, parseXml } from "../xml-reader.ts";

const OWNERSHIPS = ["BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"] as const;
export type ObjectOwnership = (typeof OWNERSHIPS)[number];
/** What a new bucket has that asks for nothing else. */
export const DEFAULT_OWNERSHIP: ObjectOwnership = "BucketOwnerEnforced";

/** Parses the document: exactly one rule. Throws MalformedXML. */
export function parseOwnership(body: Uint8Array): ObjectOwnership {
  const root = parseXml(body);
  checkShape(root, "OwnershipControls", ["Rule"]);
  const rule = requiredChild(root, "Rule");
  checkShape(rule, "Rule", ["ObjectOwnership"]);
  return requiredChoice(rule, "ObjectOwnership", OWNERSHIPS);
}

/** x-amz-object-ownership; undefined without it. Throws InvalidArgument. */
export function parseOwnershipHeader(headers: HeaderList): ObjectOwnership | undefined {
  const text = headers.get("x-amz-object-ownership");
  if (text === undefined) return undefined;
  const ownership = OWNERSHIPS.find((known) => known === text);
  if (ownership !== undefined) return ownership;
  throw invalidArgument("Invalid x-amz-object-ownership header", "x-amz-object-ownership", text);
}

export function ownershipDocument(ownership: ObjectOwnership): string {
  const writer = openDocument("OwnershipControls").open("Rule");
  return writer
    .leaf("ObjectOwnership", ownership)
    .close("Rule")
    .close("OwnershipControls")
    .finish();
}
