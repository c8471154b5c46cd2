// What is counted of bodies that were acknowledged in one campus and follow their bucket's policy.
import type { Counter, Gauge, Histogram, Metrics } from "../../lib/ports/metrics.ts";

export interface FollowMetrics {
  readonly waiting: Gauge;
  readonly oldest: Gauge;
  readonly bodies: Counter;
  readonly bytes: Counter;
  readonly failures: Counter;
  readonly seconds: Histogram;
}

const SECONDS = [0.5, 1, 2, 5, 10, 30, 60, 300, 1800, 7200];

export function followMetrics(metrics: Metrics): FollowMetrics {
  return {
    waiting: metrics.gauge("follow_waiting_bodies", {
      help: "Bodies whose shards are in one campus and are yet to follow their policy",
    }),
    oldest: metrics.gauge("follow_behind_seconds", {
      help: "How long the body that waits longest to follow has waited; 0: none waits",
    }),
    bodies: metrics.counter("follow_bodies_total", {
      help: "Bodies brought from one campus to where their policy wants them",
    }),
    bytes: metrics.counter("follow_bytes_total", { help: "Bytes of those bodies" }),
    failures: metrics.counter("follow_failures_total", {
      help: "Bodies that could not follow when it was tried",
    }),
    seconds: metrics.histogram("follow_seconds", {
      help: "From the acknowledgement in one campus until the body lay as its policy wants",
      buckets: SECONDS,
    }),
  };
}
