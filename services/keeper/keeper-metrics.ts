// What is counted of the older tasks; notifications, logs and lifecycle have files of their own.
import type { Counter, Gauge, Metrics } from "../lib/ports/metrics.ts";

export interface KeeperMetrics {
  readonly garbage: Counter;
  readonly orphans: Counter;
  readonly uploads: Counter;
  readonly uploadFailures: Counter;
  readonly rebuilt: Counter;
  readonly rebuiltBytes: Counter;
  readonly oldest: Gauge;
  readonly waiting: Gauge;
  readonly reconciled: Counter;
  readonly cuts: Counter;
  readonly failures: Counter;
}

export function keeperMetrics(metrics: Metrics): KeeperMetrics {
  return {
    garbage: metrics.counter("gc_deleted_shards_total", { help: "Shards deleted as garbage" }),
    orphans: metrics.counter("gc_deleted_orphans_total", { help: "Orphaned shards deleted" }),
    uploads: metrics.counter("stale_uploads_aborted_total", { help: "Stale uploads aborted" }),
    uploadFailures: metrics.counter("stale_upload_failures_total", {
      help: "Stale uploads whose abort failed, retries included",
    }),
    rebuilt: metrics.counter("repair_rebuilt_shards_total", { help: "Shards rebuilt" }),
    rebuiltBytes: metrics.counter("repair_bytes_total", { help: "Bytes of shards rebuilt" }),
    oldest: metrics.gauge("repair_oldest_seconds", {
      help: "How long the chunk that waits longest for repair has waited; 0: none waits",
    }),
    waiting: metrics.gauge("repair_queue_length", { help: "Chunks that wait for repair" }),
    reconciled: metrics.counter("reconciled_buckets_total", {
      help: "Buckets whose index groups were told of their state",
    }),
    cuts: metrics.counter("range_splits_total", {
      help: "Index ranges of buckets that were cut in two",
    }),
    failures: metrics.counter("keeper_task_failures_total", {
      help: "Rounds of a task that failed",
      labels: ["task"],
    }),
  };
}
