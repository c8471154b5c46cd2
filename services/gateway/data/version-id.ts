// Version ids as clients write them: `null`, or 32 hex digits of the stored 16 bytes.
import { fromHex, utf8 } from "../../lib/base/bytes.ts";
import { invalidArgument } from "../../lib/s3/errors.ts";

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
