// The versioning configuration of a bucket: parses PutBucketVersioning, writes GetBucketVersioning.
// MFA delete is not offered: asking for it is NotImplemented, saying that it is off is accepted.
// Source: Amazon S3 API reference, PutBucketVersioning.
import { openDocument } from "../document-parts.ts";
import { S3Error } from "../errors.ts";
import { optionalChoice } from "../xml-fields.ts";
import { checkShape, parseXml } from "../xml-reader.ts";

export type VersioningStatus = "Enabled" | "Suspended";

/**
 * The status asked for. Throws MalformedXML, IllegalVersioningConfigurationException (no status),
 * NotImplemented (MfaDelete Enabled).
 */
export function parseVersioning(body: Uint8Array): VersioningStatus {
  const root = parseXml(body);
  checkShape(root, "VersioningConfiguration", ["Status", "MfaDelete"]);
  const status = optionalChoice(root, "Status", ["Enabled", "Suspended"]);
  const mfaDelete = optionalChoice(root, "MfaDelete", ["Enabled", "Disabled"]);
  if (mfaDelete === "Enabled") throw new S3Error("NotImplemented");
  if (status === undefined) throw new S3Error("IllegalVersioningConfigurationException");
  return status;
}

/** `status` is undefined while versioning was never set: the element is empty then. */
export function versioningDocument(status: VersioningStatus | undefined): string {
  const writer = openDocument("VersioningConfiguration").optional("Status", status);
  return writer.close("VersioningConfiguration").finish();
}
