// Views: `a:b:c` in place of a bucket's name is what lies under `b/c/` in bucket `a` (setting
// s3.bucketViews, client row C2). The client reads and writes keys without that prefix; commands,
// queries, permissions, events and access logs have the whole keys of the bucket. Where the request
// addresses no view, everything here leaves names and keys as they are.
import { assert } from "../../lib/base/assert.ts";
import { asBuffer, utf8 } from "../../lib/base/bytes.ts";
import { type CopySource, checkKey, parseBucketView } from "../../lib/s3/addressing.ts";
import { S3Error } from "../../lib/s3/errors.ts";
import type { BucketContext, ObjectContext, Operation, ServiceContext } from "../operation.ts";
import type { S3Request } from "../request.ts";

type Viewing = Pick<ServiceContext, "request">;

/** What stands before every key of the view in the bucket; empty without one. */
export function viewPrefix({ request }: Viewing): string {
  return request.view?.prefix ?? "";
}

/** The name under which the client knows the bucket. */
export function shownBucket({
  request,
  bucket,
}: Pick<BucketContext, "request" | "bucket">): string {
  return request.view?.name ?? bucket.name;
}

/** The key as the client knows it. */
export function shownKey(context: Pick<ObjectContext, "request" | "keyText">): string {
  return context.keyText.slice(viewPrefix(context).length);
}

/** A key that the client names, as the bucket has it. Throws InvalidURI, KeyTooLongError. */
export function storedKey(context: Viewing, key: string): string {
  return checkKey(viewPrefix(context) + key);
}

/** Where a listing goes on after `marker`; in a view an empty one excludes the prefix itself. */
export function storedMarker(context: Viewing, marker: Uint8Array): Uint8Array {
  const prefix = viewPrefix(context);
  return prefix === "" ? marker : Buffer.concat([utf8(prefix), marker]);
}

/** A listed key, common prefix or marker as the client knows it; a view of the same bytes. */
export function shownBytes(context: Viewing, key: Uint8Array): Uint8Array {
  const prefix = utf8(viewPrefix(context));
  const isWithin = asBuffer(key.subarray(0, prefix.byteLength)).equals(prefix);
  assert(isWithin, "shownBytes: a listed key outside of the view");
  return key.subarray(prefix.byteLength);
}

/**
 * The source of a copy in its bucket, where `source` may name a view of it. Throws
 * InvalidBucketName, KeyTooLongError.
 */
export function storedSource({ gateway }: ServiceContext, source: CopySource): CopySource {
  const view = gateway.settings.bucketViews ? parseBucketView(source.bucket) : undefined;
  if (view === undefined) return source;
  return { ...source, bucket: view.bucket, key: checkKey(view.prefix + source.key) };
}

/**
 * Throws MethodNotAllowed for what would make, change or remove the whole bucket through a view of
 * a part of it.
 */
export function refuseInView({ view }: S3Request, { match, method }: Operation): void {
  if (view === undefined || match.level !== "bucket") return;
  if (method !== "PUT" && method !== "DELETE") return;
  throw new S3Error(
    "MethodNotAllowed",
    "A view of a bucket is neither made, changed nor removed.",
    {
      details: [
        ["Method", method],
        ["ResourceType", "BUCKETVIEW"],
      ],
    },
  );
}
