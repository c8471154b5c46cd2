// Bounds of answers, and the check that a bucket is not sealed.
import { StoreError } from "../../../lib/base/errors.ts";
import type { StateReader } from "../records.ts";
import { isSealed } from "../write-checks.ts";

/** A page ends before it grows past this: messages stay below 1 MiB. */
export const MESSAGE_BYTES = 768 * 1024;
export const MANIFESTS_PER_ANSWER = 100;
/** Entries looked at for one page; a page may end early, with a marker to go on from. */
export const SCANNED_MAX = 20_000;
export const PAGE_ENTRIES_MAX = 10_000;

/** Throws StoreError "sealed" when the bucket is being, or has been, deleted. */
export function refuseSealed(reader: StateReader, bucketId: number): void {
  if (isSealed(reader, bucketId)) {
    throw new StoreError("sealed", "the bucket is being, or has been, deleted");
  }
}

export function pageLimit(limit: number): number {
  return Math.min(limit, PAGE_ENTRIES_MAX);
}
