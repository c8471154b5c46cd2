// Whether the two sides of one name are the same: size first, then times (files' times are kept
// with objects), or with --checksum the bytes themselves. Only what passes for the same is left
// alone.
import { open } from "node:fs/promises";
import { bareEtag, isMd5Etag, partCountOf } from "./checksum-kinds.ts";
import { about } from "./failure.ts";
import type { RemoteLocation } from "./location.ts";
import type { ObjectContext } from "./object-context.ts";
import { headObject, type ObjectHead } from "./object-head.ts";
import { isUpToDate, type SyncEntry } from "./sync-plan.ts";
import { expectationOf, fileDigest } from "./verify-download.ts";

/** A folder of a side: local, or a prefix of a bucket. */
export type SyncSide =
  | { readonly kind: "local"; readonly path: string }
  | { readonly kind: "remote"; readonly bucket: string; readonly prefix: string };

export interface SyncPair {
  readonly source: SyncEntry;
  readonly target: SyncEntry;
}

export interface CompareHow {
  readonly from: SyncSide;
  readonly to: SyncSide;
  readonly byChecksum: boolean;
}

export async function isSame(
  context: ObjectContext,
  { source, target }: SyncPair,
  how: CompareHow,
): Promise<boolean> {
  if (source.bytes !== target.bytes) return false;
  if (how.from.kind === "remote" && how.to.kind === "remote") {
    return sameObjects(context, { source, target }, how.from.bucket, how.to.bucket);
  }
  const [file, object] = how.from.kind === "local" ? [source, target] : [target, source];
  const side = how.from.kind === "remote" ? how.from : how.to;
  if (side.kind !== "remote") return false;
  const head = await headOfEntry(context, side.bucket, object);
  if (how.byChecksum) return sameBytes(context, file, head);
  const exact = head.keptTimeMs !== undefined;
  const objectMs = exact ? head.keptTimeMs : object.modifiedMs;
  const isUp = how.from.kind === "local";
  return isUpToDate({
    sourceMs: isUp ? file.modifiedMs : objectMs,
    targetMs: isUp ? objectMs : file.modifiedMs,
    exact,
  });
}

/** Equal entity tags of equal sizes are equal bytes; else checksums of the whole tell. */
async function sameObjects(
  context: ObjectContext,
  { source, target }: SyncPair,
  fromBucket: string,
  toBucket: string,
): Promise<boolean> {
  const isMd5 = isMd5Etag(bareEtag(source.etag)) && isMd5Etag(bareEtag(target.etag));
  if (source.etag === target.etag && isMd5) return true;
  const first = await headOfEntry(context, fromBucket, source);
  const second = await headOfEntry(context, toBucket, target);
  const [one, other] = [first.checksum, second.checksum];
  if (one !== undefined && one.algorithm === other?.algorithm) {
    const whole = partCountOf(one.value) === undefined && partCountOf(other.value) === undefined;
    if (whole) return one.value === other.value;
  }
  return false;
}

/** False too where nothing can tell: then it is copied again. */
async function sameBytes(
  context: ObjectContext,
  entry: SyncEntry,
  head: ObjectHead,
): Promise<boolean> {
  const expected = expectationOf(head);
  if (expected === undefined || expected.partCount !== undefined) return false;
  return about(entry.place, async () => {
    const file = await open(entry.place, "r");
    try {
      const { checksums: factory, signal } = context;
      const { bytes } = entry;
      const digest = await fileDigest({ factory, file, bytes, hash: expected.hash, signal });
      return digest === expected.digest;
    } finally {
      await file.close();
    }
  });
}

function headOfEntry(
  context: ObjectContext,
  bucket: string,
  entry: SyncEntry,
): Promise<ObjectHead> {
  const location: RemoteLocation = { kind: "remote", bucket, key: entry.place };
  return headObject(context, { location, customerKey: context.customerKey });
}
