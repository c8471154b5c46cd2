// Version ids as clients write them: `null`, or 32 hex digits of the stored 16 bytes. Buckets that
// never had versioning show none.
import { equalBytes, fromHex, toHex, utf8 } from "../../lib/base/bytes.ts";
import { type BucketRecord, Versioning } from "../../lib/gen/dolium/record/v1/cluster_pb.ts";
import type { Version } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import { invalidArgument } from "../../lib/s3/errors.ts";
import type { HeaderField } from "../../lib/s3/headers.ts";
import type { ServiceContext } from "../operation.ts";

export const NULL_VERSION = utf8("null");
/** Asks for whatever version is current. */
export const CURRENT_VERSION = new Uint8Array(0);
const VERSION_ID = /^[0-9a-f]{32}$/;

/** The bytes of a version id from a query; CURRENT_VERSION without one. Throws InvalidArgument. */
export function parseVersionId(text: string | undefined): Uint8Array {
  if (text === undefined) return CURRENT_VERSION;
  if (text === "null") return NULL_VERSION;
  const bytes = VERSION_ID.test(text) ? fromHex(text) : undefined;
  if (bytes !== undefined) return bytes;
  const message =
    text === "" ? "Version id cannot be the empty string" : "Invalid version id specified";
  throw invalidArgument(message, "versionId", text);
}

/** The version that the request's query names. Throws InvalidArgument. */
export function requestedVersionId({ request }: ServiceContext): Uint8Array {
  return parseVersionId(request.target.query.get("versionId"));
}

/** A version id of a reply as text; undefined for the empty one of buckets without versioning. */
export function versionIdText(versionId: Uint8Array): string | undefined {
  if (versionId.byteLength === 0) return undefined;
  return equalBytes(versionId, NULL_VERSION) ? "null" : toHex(versionId);
}

/** The id that listings show of a stored version. */
export function storedVersionIdText(version: Version): string {
  return version.nullVersion ? "null" : toHex(version.versionId);
}

/** The id that answers about a stored version show; undefined in a bucket without versioning. */
export function shownVersionId(bucket: BucketRecord, version: Version): string | undefined {
  return isVersioned(bucket) || !version.nullVersion ? storedVersionIdText(version) : undefined;
}

/** Versioning is on, or was. */
export function isVersioned({ versioning }: BucketRecord): boolean {
  return versioning === Versioning.ENABLED || versioning === Versioning.SUSPENDED;
}

/** x-amz-version-id, or nothing. */
export function versionIdFields(
  text: string | undefined,
  name: "x-amz-version-id" | "x-amz-copy-source-version-id" = "x-amz-version-id",
): HeaderField[] {
  return text === undefined ? [] : [[name, text]];
}
