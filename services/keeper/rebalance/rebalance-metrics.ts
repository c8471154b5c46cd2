// What is counted of rebalancing.
import type { Counter, Gauge, Metrics } from "../../lib/ports/metrics.ts";

export interface RebalanceMetrics {
  readonly progress: Gauge;
  readonly remainingShards: Gauge;
  readonly remainingBytes: Gauge;
  readonly movedShards: Counter;
  readonly movedBytes: Counter;
  readonly failures: Counter;
}

export function rebalanceMetrics(metrics: Metrics): RebalanceMetrics {
  return {
    progress: metrics.gauge("rebalance_progress_ratio", {
      help: "Share of the bytes to move for the present layout that is moved; 1 when all are",
    }),
    remainingShards: metrics.gauge("rebalance_remaining_shards", {
      help: "Shards that are not where the layout wants them, as far as counted",
    }),
    remainingBytes: metrics.gauge("rebalance_remaining_bytes", {
      help: "Bytes of the shards that are not where the layout wants them, as far as counted",
    }),
    movedShards: metrics.counter("rebalance_moved_shards_total", { help: "Shards moved" }),
    movedBytes: metrics.counter("rebalance_moved_bytes_total", { help: "Bytes of shards moved" }),
    failures: metrics.counter("rebalance_failures_total", {
      help: "Chunks whose shards could not be moved and are tried again",
    }),
  };
}
