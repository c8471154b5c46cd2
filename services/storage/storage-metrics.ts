// What the storage node counts. Registered once a process; the label `disk` is the disk's uuid, so
// its values are bounded by the disks there are.
import type { Counter, Gauge, Histogram, Metrics } from "../lib/ports/metrics.ts";

export interface StorageMetrics {
  readonly writes: Counter;
  readonly writtenBytes: Counter;
  readonly readBytes: Counter;
  readonly deletes: Counter;
  readonly corruptShards: Counter;
  readonly diskErrors: Counter;
  readonly freedBytes: Counter;
  readonly compactions: Counter;
  readonly scrubbedBytes: Counter;
  readonly indexRebuilds: Counter;
  readonly operationSeconds: Histogram;
  readonly sizeBytes: Gauge;
  readonly usedBytes: Gauge;
  readonly freeBytes: Gauge;
  readonly pendingBytes: Gauge;
  readonly shardCount: Gauge;
  readonly badShards: Gauge;
  readonly diskState: Gauge;
  readonly scrubProgress: Gauge;
  readonly scrubCompleted: Gauge;
}

/** Values of the label `state`, of which each disk has one. */
export const DISK_CONDITIONS = ["up", "read-only", "failed"] as const;

const OPERATION_BUCKETS = [
  0.0001, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5,
];

export function createStorageMetrics(metrics: Metrics): StorageMetrics {
  const counter = (name: string, help: string, more: readonly string[] = []): Counter =>
    metrics.counter(`storage_${name}`, { help, labels: ["disk", ...more] });
  const gauge = (name: string, help: string): Gauge =>
    metrics.gauge(name, { help, labels: ["disk"] });
  return {
    writes: counter("shard_writes_total", "Shards written, by outcome.", ["outcome"]),
    writtenBytes: counter("written_bytes_total", "Bytes of shards made power-safe."),
    readBytes: counter("read_bytes_total", "Bytes of cells read, verified and sent."),
    deletes: counter("shard_deletes_total", "Shards deleted."),
    corruptShards: counter("corrupt_shards_total", "Shards found damaged, by who found them.", [
      "by",
    ]),
    diskErrors: metrics.counter("disk_errors_total", {
      help: "Failed operations of a disk.",
      labels: ["disk", "kind"],
    }),
    freedBytes: metrics.counter("gc_freed_bytes_total", {
      help: "Bytes of shards deleted.",
      labels: ["disk"],
    }),
    compactions: counter("compactions_total", "Segments compacted, by outcome.", ["outcome"]),
    scrubbedBytes: counter("scrubbed_bytes_total", "Bytes read by the scrubber."),
    indexRebuilds: counter("index_rebuilds_total", "Rebuilds of the index from the segments."),
    operationSeconds: metrics.histogram("disk_operation_duration_seconds", {
      help: "Time of operations of a disk: read (a cell), commit (last byte of a shard to power-safe).",
      labels: ["disk", "op"],
      buckets: OPERATION_BUCKETS,
    }),
    sizeBytes: gauge("disk_size_bytes", "Bytes of the file system."),
    usedBytes: gauge("disk_used_bytes", "Bytes in segments."),
    freeBytes: gauge("disk_free_bytes", "Free bytes of the file system."),
    pendingBytes: gauge(
      "gc_pending_bytes",
      "Bytes in segments that no shard needs any more, until compaction gives them back.",
    ),
    shardCount: gauge("storage_shards", "Shards on the disk."),
    badShards: gauge("storage_bad_shards", "Shards known to be damaged and not yet repaired."),
    diskState: metrics.gauge("disk_state", {
      help: "1 for the state that the disk is in, 0 for the others.",
      labels: ["disk", "state"],
    }),
    scrubProgress: metrics.gauge("scrub_progress_ratio", {
      help: "Share of the disk that the present pass has read; 1 between passes.",
      labels: ["disk"],
    }),
    scrubCompleted: metrics.gauge("scrub_last_completed_timestamp_seconds", {
      help: "When a pass over the whole disk last ended; 0: never.",
      labels: ["disk"],
    }),
  };
}
