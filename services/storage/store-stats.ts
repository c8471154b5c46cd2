// Brings the segments' counts of live bytes in line with an index that was loaded or made anew.
import type { DiskCondition } from "./disk-health.ts";
import type { IndexEntry } from "./index-entry.ts";
import { account, type StatsTable } from "./recovery.ts";
import type { SegmentStats } from "./segment.ts";
import type { SegmentSet } from "./segment-set.ts";
import type { EntryChange } from "./shard-index.ts";
import type { StoreContextParts } from "./store-context.ts";

export interface ShardStoreStatus {
  readonly condition: DiskCondition;
  readonly sizeBytes: number;
  readonly freeBytes: number;
  readonly usedBytes: number;
  readonly shardCount: number;
  readonly errors: number;
  readonly badShards: number;
}

/** Every segment's stats become those of `table`; none there means nothing lives in it. */
export function adoptStats(segments: SegmentSet, table: StatsTable): void {
  for (const segment of segments.all()) {
    const stats: SegmentStats = table.get(segment.number) ?? {
      liveBytes: 0,
      liveCount: 0,
      tombstoneBytes: 0,
    };
    Object.assign(segment.stats, stats);
  }
}

/** Counts changes that lie on top of a rebuilt store. */
export function applyChanges(
  stats: StatsTable,
  changes: readonly EntryChange[],
  storedIn: (change: EntryChange) => IndexEntry | undefined,
): void {
  for (const change of changes) {
    const stored = storedIn(change);
    if (stored !== undefined) account(stats, stored, -1);
    if (change.kind === "put") account(stats, change.entry, 1);
  }
}

/** What is seen of a disk's store from outside. */
export function showGauges(
  { metrics, label, segments }: Pick<StoreContextParts, "metrics" | "label" | "segments">,
  { usedBytes, shardCount, badShards }: ShardStoreStatus,
): void {
  const deadBytes = segments.all().reduce((sum, segment) => sum + segment.deadBytes, 0);
  metrics.usedBytes.set(usedBytes, { disk: label });
  metrics.pendingBytes.set(deadBytes, { disk: label });
  metrics.shardCount.set(shardCount, { disk: label });
  metrics.badShards.set(badShards, { disk: label });
}
