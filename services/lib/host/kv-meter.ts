// What is counted of the key-value stores of a process, by what they hold (`store`): how long reads
// and writes take, how large they are, whether LevelDB is behind with its compaction. Reads are
// timed one in sixteen, since a read costs little more than timing it.
import type { Clock } from "../ports/clock.ts";
import type { Metrics } from "../ports/metrics.ts";
import type { MetricsRegistry } from "./metrics.ts";

const SECONDS = [0.000_01, 0.000_05, 0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5];
const READS_PER_SAMPLE = 16;
/** Tables at level 0 that make LevelDB compact; at twice as many it slows writes down. */
const LEVEL0_TRIGGER = 4;
/** LevelDB says nothing of stalls: what is slower than this waited for compaction or the disk. */
const STALL_MS = 1000;

/** What an open store says of itself when somebody looks. */
export interface KvFigures {
  readonly level0Tables: number;
  /** Bytes of its files. */
  readonly sizeBytes: number;
}

export interface KvMeter {
  /** True for each read that is to be timed. */
  samples(): boolean;
  now(): number;
  /** Milliseconds that a timed read took. */
  read(tookMs: number): void;
  wrote(tookMs: number): void;
  /** Call the result when the store closes. */
  opened(figures: () => Promise<KvFigures>): () => void;
}

/** `store`: what the stores hold, "state" or "shards". */
export function createKvMeter(
  metrics: Metrics & Pick<MetricsRegistry, "beforeExpose">,
  clock: Pick<Clock, "monotonicMs">,
  store: string,
): KvMeter {
  const labels = { store };
  const { getSeconds, writeSeconds, stalls, size, pending } = countersOf(metrics);
  const open = new Set<() => Promise<KvFigures>>();
  let reads = 0;
  stalls.increment(labels, 0);
  metrics.beforeExpose(async () => {
    const all = await Promise.allSettled([...open].map((figures) => figures()));
    const found = all.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    const behind = found.filter(({ level0Tables }) => level0Tables >= LEVEL0_TRIGGER);
    size.set(
      found.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      labels,
    );
    pending.set(behind.length, labels);
  });
  return {
    samples: () => {
      reads += 1;
      return reads % READS_PER_SAMPLE === 1;
    },
    now: () => clock.monotonicMs(),
    read: (tookMs) => getSeconds.observe(tookMs / 1000, labels),
    wrote: (tookMs) => {
      writeSeconds.observe(tookMs / 1000, labels);
      if (tookMs > STALL_MS) stalls.increment(labels);
    },
    opened: (figures) => {
      open.add(figures);
      return () => open.delete(figures);
    },
  };
}

function countersOf(metrics: Metrics) {
  const named = ["store"];
  return {
    getSeconds: metrics.histogram("kv_get_duration_seconds", {
      help: "Time to read one key, of one read in sixteen.",
      labels: named,
      buckets: SECONDS,
    }),
    writeSeconds: metrics.histogram("kv_write_duration_seconds", {
      help: "Time to write one batch, synced or not.",
      labels: named,
      buckets: SECONDS,
    }),
    stalls: metrics.counter("kv_write_stalls_total", {
      help: "Batches that took over a second to write.",
      labels: named,
    }),
    size: metrics.gauge("kv_size_bytes", { help: "Bytes of the stores' files.", labels: named }),
    pending: metrics.gauge("kv_compaction_pending", {
      help: "Stores with so many new tables that LevelDB has to compact them.",
      labels: named,
    }),
  };
}
