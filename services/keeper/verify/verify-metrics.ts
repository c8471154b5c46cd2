// What the verifiers count.
import type { Counter, Gauge, Metrics } from "../../lib/ports/metrics.ts";

export interface VerifyMetrics {
  /** By verifier. */
  readonly looked: Counter;
  readonly problems: Counter;
  readonly readBytes: Counter;
  /** Seconds since 1970, by verifier. */
  readonly lastPass: Gauge;
}

export function verifyMetrics(metrics: Metrics): VerifyMetrics {
  const labels = ["verifier"];
  return {
    looked: metrics.counter("verify_looked_total", { help: "Shards, versions, records", labels }),
    problems: metrics.counter("verify_problems_total", { help: "What was not right", labels }),
    readBytes: metrics.counter("verify_read_bytes_total", { help: "Bytes read back" }),
    lastPass: metrics.gauge("verify_last_pass_seconds", {
      help: "When a pass last ended, seconds since 1970",
      labels,
    }),
  };
}
