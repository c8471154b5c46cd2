// What is counted of lifecycle rules.
import type { Counter, Gauge, Metrics } from "../../lib/ports/metrics.ts";

export interface LifecycleMetrics {
  readonly scanned: Counter;
  readonly actions: Counter;
  /** Bytes of bodies that transitions copied. */
  readonly movedBytes: Counter;
  readonly kept: Counter;
  readonly errors: Counter;
  readonly lastPass: Gauge;
}

export function lifecycleMetrics(metrics: Metrics): LifecycleMetrics {
  return {
    scanned: metrics.counter("lifecycle_scanned_total", {
      help: "Versions and uploads that lifecycle rules were asked about",
    }),
    actions: metrics.counter("lifecycle_actions_total", {
      help: "What lifecycle rules did",
      labels: ["action"],
    }),
    movedBytes: metrics.counter("lifecycle_moved_bytes_total", {
      help: "Bytes that transitions copied to where their storage class wants them",
    }),
    kept: metrics.counter("lifecycle_kept_total", {
      help: "What rules wanted to remove or move and was kept: locked, or changed meanwhile",
      labels: ["reason"],
    }),
    errors: metrics.counter("lifecycle_errors_total", {
      help: "Buckets whose walk broke off, removals and transitions that failed",
    }),
    lastPass: metrics.gauge("lifecycle_last_full_pass_seconds", {
      help: "When the last full pass ended, seconds since 1970",
    }),
  };
}
