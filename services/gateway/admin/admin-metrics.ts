// Counters of the admin API, registered once.
import type { Counter, Metrics } from "../../lib/ports/metrics.ts";

export class AdminMetrics {
  readonly requests: Counter;
  readonly denied: Counter;

  constructor(metrics: Metrics) {
    this.requests = metrics.counter("admin_requests_total", {
      help: "Calls of the admin API, by operation and outcome.",
      labels: ["action", "outcome"],
    });
    this.denied = metrics.counter("admin_denied_total", {
      help: "Calls of the admin API that were denied, by action and rule.",
      labels: ["action", "rule"],
    });
  }
}
