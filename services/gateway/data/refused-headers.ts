// Headers that promise what is not kept yet. To ignore one would be to lie about encryption,
// retention or access, so a request that carries one is refused. The values that ask for what is so
// anyway are let pass. Source: Amazon S3 API reference, PutObject request headers; user guide,
// bucket owner enforced.
import { S3Error } from "../../lib/s3/errors.ts";
import type { HeaderList } from "../../lib/s3/headers.ts";

const REFUSED_PREFIXES = [
  "x-amz-server-side-encryption",
  "x-amz-copy-source-server-side-encryption",
  "x-amz-object-lock-",
  "x-amz-write-offset-",
] as const;
const REFUSED_NAMES: ReadonlySet<string> = new Set(["x-amz-tagging"]);
/** With these the owner of the bucket keeps full control, and nobody else gets any. */
const ACLS_WITHOUT_EFFECT: ReadonlySet<string> = new Set(["private", "bucket-owner-full-control"]);

/**
 * Throws NotImplemented or AccessControlListNotSupported for headers that would change the outcome.
 */
export function refuseUnkeptHeaders(headers: HeaderList): void {
  for (const name of headers.names()) {
    const isRefused =
      REFUSED_NAMES.has(name) || REFUSED_PREFIXES.some((prefix) => name.startsWith(prefix));
    if (isRefused) {
      throw new S3Error("NotImplemented", undefined, { details: [["Header", name]] });
    }
    if (name.startsWith("x-amz-grant-")) throw new S3Error("AccessControlListNotSupported");
  }
  const acl = headers.get("x-amz-acl");
  if (acl !== undefined && !ACLS_WITHOUT_EFFECT.has(acl)) {
    throw new S3Error("AccessControlListNotSupported");
  }
}
