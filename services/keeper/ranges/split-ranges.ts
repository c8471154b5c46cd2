// Cuts the index ranges of buckets that grew large. The group says how large a range is and where
// its middle lies, the root group cuts it: one command, so a keeper that dies leaves the range
// whole or cut, and two that look at the same range cut it once.
import { mapBounded } from "../../lib/base/bounded.ts";
import { isStoreError, StoreError } from "../../lib/base/errors.ts";
import { ROOT_GROUP } from "../../lib/clients/groups.ts";
import type { BucketRecord, RangeRecord } from "../../lib/gen/dolium/record/v1/cluster_pb.ts";
import { Outcome } from "../../lib/gen/dolium/record/v1/command_pb.ts";
import type { BucketCatalog } from "../buckets/bucket-catalog.ts";
import type { KeeperDeps } from "../deps.ts";

const BUCKETS_AT_ONCE = 4;

export type SplitDeps = Pick<KeeperDeps, "metadata" | "log"> & {
  readonly config: Pick<KeeperDeps["config"], "rangeSplitBytes">;
};

/**
 * Looks at every range once; halves that are still too large are cut by the next look. Returns the
 * number of cuts. A bucket that cannot be looked at is told in the log and left for the next look.
 */
export async function splitRanges(
  deps: SplitDeps,
  catalog: BucketCatalog,
  signal: AbortSignal,
): Promise<number> {
  let cuts = 0;
  await mapBounded(await catalog.all(), BUCKETS_AT_ONCE, async (bucket) => {
    for (const range of bucket.ranges) {
      if (signal.aborted) return;
      try {
        if (await splitRange(deps, bucket, range)) cuts += 1;
      } catch (error) {
        // Sealed: the bucket is being removed.
        if (isStoreError(error, "sealed")) return;
        deps.log.warn("a range was not looked at", { bucket: bucket.name, reason: String(error) });
      }
    }
  });
  return cuts;
}

async function splitRange(
  { metadata, config, log }: SplitDeps,
  { name, bucketId }: BucketRecord,
  { start, end, epoch: rangeEpoch, groupId }: RangeRecord,
): Promise<boolean> {
  const cutAboveBytes = BigInt(config.rangeSplitBytes);
  const size = { case: "rangeSize", value: { bucketId, start, end, cutAboveBytes } } as const;
  const { bytes, cut: at } = await metadata.query(groupId, size);
  if (at.byteLength === 0) return false;
  const kind = { case: "splitRange", value: { name, bucketId, at, rangeEpoch } } as const;
  const { outcome, message } = await metadata.execute(ROOT_GROUP, kind);
  switch (outcome) {
    case Outcome.OK:
      log.info("a range was cut in two", { bucket: name, groupId, bytes: Number(bytes) });
      return true;
    // Removed meanwhile, or cut by another keeper.
    case Outcome.NO_SUCH_BUCKET:
    case Outcome.CONFLICT:
      log.debug("a range was not cut", { bucket: name, reason: message });
      return false;
    default:
      throw new StoreError("internal", `unexpected outcome ${outcome}: ${message}`);
  }
}
