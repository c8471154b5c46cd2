// A condition on what is stored tells something of it: whoever writes or deletes only if the object
// is a certain one must be allowed to read it. Source: Amazon S3 user guide, "How to prevent object
// overwrites with conditional writes", "Enforce conditional deletes on Amazon S3 buckets".
import type { DeleteConditions } from "../../../lib/s3/conditions.ts";
import type { HeaderList } from "../../../lib/s3/headers.ts";
import type { BucketContext, ObjectContext } from "../../operation.ts";
import { allowVersion } from "./access-check.ts";

const COMPARISONS = ["if-match", "if-modified-since", "if-unmodified-since"];

/** Throws AccessDenied. If-None-Match: * tells only that a key is taken, and needs nothing more. */
export async function allowWriteCondition(
  context: ObjectContext,
  headers: HeaderList,
): Promise<void> {
  const compares = (headers.get("if-none-match") ?? "*") !== "*";
  if (!compares && !COMPARISONS.some((name) => headers.has(name))) return;
  const { bucket, keyText: key } = context;
  await allowVersion(context, { permission: "s3:GetObject", bucket, key });
}

/** Throws AccessDenied. `*` asks only whether there is anything to delete. */
export async function allowDeleteConditions(
  context: BucketContext,
  key: string,
  { match, lastModifiedMs, sizeBytes }: DeleteConditions,
): Promise<void> {
  const comparesEtag = match.kind === "if-match" && match.etag !== "*";
  if (!comparesEtag && lastModifiedMs === undefined && sizeBytes === undefined) return;
  await allowVersion(context, { permission: "s3:GetObject", bucket: context.bucket, key });
}
