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
  readonly compactions: Counter;
  readonly scrubbedBytes: Counter;
  readonly indexRebuilds: Counter;
  readonly commitSeconds: Histogram;
  readonly usedBytes: Gauge;
  readonly freeBytes: Gauge;
  readonly shardCount: Gauge;
  readonly badShards: Gauge;
  readonly diskUp: Gauge;
  readonly scrubProgress: Gauge;
  readonly scrubCompleted: Gauge;
}

const COMMIT_BUCKETS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

export function createStorageMetrics(metrics: Metrics): StorageMetrics {
  const counter = (name: string, help: string, more: readonly string[] = []): Counter =>
    metrics.counter(`storage_${name}`, { help, labels: ["disk", ...more] });
  const gauge = (name: string, help: string): Gauge =>
    metrics.gauge(`storage_${name}`, { help, labels: ["disk"] });
  return {
    writes: counter("shard_writes_total", "Shards written, by outcome.", ["outcome"]),
    writtenBytes: counter("written_bytes_total", "Bytes of shards made power-safe."),
    readBytes: counter("read_bytes_total", "Bytes of cells read, verified and sent."),
    deletes: counter("shard_deletes_total", "Shards deleted."),
    corruptShards: counter("corrupt_shards_total", "Shards found damaged, by who found them.", [
      "by",
    ]),
    diskErrors: counter("disk_errors_total", "Failed operations of a disk.", ["kind"]),
    compactions: counter("compactions_total", "Segments compacted, by outcome.", ["outcome"]),
    scrubbedBytes: counter("scrubbed_bytes_total", "Bytes read by the scrubber."),
    indexRebuilds: counter("index_rebuilds_total", "Rebuilds of the index from the segments."),
    commitSeconds: metrics.histogram("storage_commit_seconds", {
      help: "From a shard's last byte to power-safe.",
      labels: ["disk"],
      buckets: COMMIT_BUCKETS,
    }),
    usedBytes: gauge("used_bytes", "Bytes in segments."),
    freeBytes: gauge("free_bytes", "Free bytes of the file system."),
    shardCount: gauge("shards", "Shards on the disk."),
    badShards: gauge("bad_shards", "Shards known to be damaged and not yet repaired."),
    diskUp: gauge("disk_up", "1 up, 0.5 read-only, 0 failed."),
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
