// Headers that promise what is not kept yet. To ignore one would be to lie about encryption, so a
// request that carries one is refused.
import { S3Error } from "../../lib/s3/errors.ts";
import type { HeaderList } from "../../lib/s3/headers.ts";

const REFUSED_PREFIXES = [
  "x-amz-server-side-encryption",
  "x-amz-copy-source-server-side-encryption",
] as const;

/** Throws NotImplemented for headers that would change the outcome. */
export function refuseUnkeptHeaders(headers: HeaderList): void {
  for (const name of headers.names()) {
    if (REFUSED_PREFIXES.some((prefix) => name.startsWith(prefix))) {
      throw new S3Error("NotImplemented", undefined, { details: [["Header", name]] });
    }
  }
}
