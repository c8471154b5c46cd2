// The entity tag that S3 gives an object in parts: the MD5 of the MD5s of its parts.
import { multipartEtag } from "../../lib/s3/checksum-combine.ts";
import type { ChecksumFactory } from "../../lib/s3/checksums.ts";

export type Hasher = ReturnType<ChecksumFactory["create"]>;

/** Lower-case hex, without the number of parts. The hashers are used up. */
export function multipartEtagOf(parts: readonly Hasher[]): string {
  return multipartEtag(parts.map((part) => part.digest())).split("-")[0] ?? "";
}
