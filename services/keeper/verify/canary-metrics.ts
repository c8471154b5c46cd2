// What the canary shows.
import type { Gauge, Metrics } from "../../lib/ports/metrics.ts";

export interface CanaryMetrics {
  readonly found: Gauge;
  readonly repaired: Gauge;
}

export function canaryMetrics(metrics: Metrics): CanaryMetrics {
  return {
    found: metrics.gauge("canary_found_seconds", {
      help: "From the last damage done to a canary until a storage node noticed it",
    }),
    repaired: metrics.gauge("canary_repaired_seconds", {
      help: "From the last damage done to a canary until all its shards were good again",
    }),
  };
}
