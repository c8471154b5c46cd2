// What is counted of notifications. The label `target` is bounded by the configuration and by what
// buckets name.
import type { Counter, Gauge, Metrics } from "../../lib/ports/metrics.ts";

export interface NotifyMetrics {
  readonly delivered: Counter;
  readonly failures: Counter;
  readonly dropped: Counter;
  /** Age in seconds of the oldest event that failed to be delivered; 0 when none waits. */
  readonly behind: Gauge;
  /** Entries in the outbox of a group, and those that a full outbox has refused so far. */
  readonly entries: Gauge;
  readonly lost: Gauge;
}

export function notifyMetrics(metrics: Metrics): NotifyMetrics {
  const labels = ["target"];
  return {
    delivered: metrics.counter("notify_delivered_total", { help: "Events delivered", labels }),
    failures: metrics.counter("notify_failures_total", {
      help: "Posts of events that failed",
      labels,
    }),
    dropped: metrics.counter("notify_dropped_total", {
      help: "Events that were refused for good or grew too old",
      labels: [...labels, "reason"],
    }),
    behind: metrics.gauge("notify_behind_seconds", {
      help: "Age of the oldest event that waits because its target fails",
      labels,
    }),
    entries: metrics.gauge("outbox_entries", {
      help: "Events and log deliveries that wait in a group",
      labels: ["group"],
    }),
    lost: metrics.gauge("outbox_lost", {
      help: "Events and log deliveries that a group's full outbox refused, since it was made",
      labels: ["group"],
    }),
  };
}
