// What is counted of replication. The label `destination` is bounded by what buckets name.
import type { Counter, Gauge, Metrics } from "../../lib/ports/metrics.ts";

export interface ReplicationMetrics {
  readonly replicated: Counter;
  readonly bytes: Counter;
  /** Existing versions that began to wait for a destination. */
  readonly begun: Counter;
  readonly failures: Counter;
  readonly failed: Counter;
  /** Entries that wait for the destination, of the 100 of each group that are looked at. */
  readonly pending: Gauge;
  readonly behind: Gauge;
}

export function replicationMetrics(metrics: Metrics): ReplicationMetrics {
  const labels = ["destination"];
  return {
    replicated: metrics.counter("replication_replicated_total", {
      help: "Versions, delete markers and changes of tags carried to a destination",
      labels,
    }),
    bytes: metrics.counter("replication_bytes_total", { help: "Bytes of their bodies", labels }),
    begun: metrics.counter("replication_begun_total", {
      help: "Existing versions, and ones whose event was lost, that were set on their way",
    }),
    failures: metrics.counter("replication_failures_total", {
      help: "Tries that failed or were refused",
      labels,
    }),
    failed: metrics.counter("replication_failed_total", {
      help: "Versions whose replication was given up: refused, or too old",
      labels,
    }),
    pending: metrics.gauge("replication_pending", {
      help: "Entries that wait for a destination, of the 100 that are looked at together",
      labels,
    }),
    behind: metrics.gauge("replication_behind_seconds", {
      help: "Age of the oldest entry that waits for a destination",
      labels,
    }),
  };
}
