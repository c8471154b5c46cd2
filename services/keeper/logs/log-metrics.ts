// What is counted of server access logs.
import type { Counter, Metrics } from "../../lib/ports/metrics.ts";

export interface LogMetrics {
  readonly lines: Counter;
  readonly objects: Counter;
  readonly failures: Counter;
  readonly dropped: Counter;
}

export function logMetrics(metrics: Metrics): LogMetrics {
  return {
    lines: metrics.counter("access_log_lines_total", { help: "Access log lines written" }),
    objects: metrics.counter("access_log_objects_total", { help: "Access log objects written" }),
    failures: metrics.counter("access_log_failures_total", {
      help: "Log objects that could not be written yet",
    }),
    dropped: metrics.counter("access_log_dropped_lines_total", {
      help: "Access log lines dropped: logging is off now, or nothing could be written for long",
    }),
  };
}
