// The public access block of a bucket: four switches, off when absent. Source: Amazon S3 API
// reference, PutPublicAccessBlock; user guide, "Blocking public access to your Amazon S3 storage".
import { openDocument } from "../document-parts.ts";
import { optionalBoolean } from "../xml-fields.ts";
import { checkShape, parseXml } from "../xml-reader.ts";

export interface PublicAccessBlock {
  /** Refuse new public ACLs. */
  readonly blockPublicAcls: boolean;
  /** Public grants count as absent. */
  readonly ignorePublicAcls: boolean;
  /** Refuse new public policies. */
  readonly blockPublicPolicy: boolean;
  /** A public policy lets only the owner in. */
  readonly restrictPublicBuckets: boolean;
}

/** Throws MalformedXML. */
export function parsePublicAccessBlock(body: Uint8Array): PublicAccessBlock {
  const root = parseXml(body);
  checkShape(root, "PublicAccessBlockConfiguration", [
    "BlockPublicAcls",
    "IgnorePublicAcls",
    "BlockPublicPolicy",
    "RestrictPublicBuckets",
  ]);
  return {
    blockPublicAcls: optionalBoolean(root, "BlockPublicAcls") ?? false,
    ignorePublicAcls: optionalBoolean(root, "IgnorePublicAcls") ?? false,
    blockPublicPolicy: optionalBoolean(root, "BlockPublicPolicy") ?? false,
    restrictPublicBuckets: optionalBoolean(root, "RestrictPublicBuckets") ?? false,
  };
}

/** GetPublicAccessBlock, and the form in which the setting is kept. */
export function publicAccessBlockDocument(block: PublicAccessBlock): string {
  const writer = openDocument("PublicAccessBlockConfiguration");
  writer.leaf("BlockPublicAcls", block.blockPublicAcls);
  writer.leaf("IgnorePublicAcls", block.ignorePublicAcls);
  writer.leaf("BlockPublicPolicy", block.blockPublicPolicy);
  writer.leaf("RestrictPublicBuckets", block.restrictPublicBuckets);
  return writer.close("PublicAccessBlockConfiguration").finish();
}
