// The audit log: lines wait in a bounded queue for each destination and are written in batches, off
// the way of requests. A destination that fails is tried again with the same lines, so its queue
// grows; when it is full, new lines are dropped and counted, or (`onFull` "refuse") requests are
// refused before they do anything, so that those under way still find room.
import { utf8 } from "../../lib/base/bytes.ts";
import { toStoreError } from "../../lib/base/errors.ts";
import type { AuditSink } from "../../lib/ports/audit.ts";
import type { Clock } from "../../lib/ports/clock.ts";
import type { Log } from "../../lib/ports/log.ts";
import type { Counter, Gauge, Metrics } from "../../lib/ports/metrics.ts";
import { type AuditEvent, auditLine } from "./audit-line.ts";
import type { AuditSettings } from "./audit-settings.ts";

const BATCH_LINES_MAX = 1000;
const RETRY_MS = 1000;
/** What requests under way may add while new ones are refused, in queues. */
const OVERFLOW = 2;
/** At the end lines that wait are tried for so long. */
const CLOSE_MS = 5000;

export interface AuditLogDeps {
  readonly sinks: readonly AuditSink[];
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Name of this gateway; each line has it. */
  readonly node: string;
}

interface Counters {
  readonly written: Counter;
  readonly dropped: Counter;
  readonly failures: Counter;
  readonly waiting: Gauge;
}

export class AuditLog {
  readonly #queues: readonly SinkQueue[];
  readonly #settings: AuditSettings;
  readonly #node: string;

  constructor(deps: AuditLogDeps, settings: AuditSettings) {
    const counters = countersOf(deps.metrics);
    const { queueLines, onFull } = settings;
    const lines = onFull === "refuse" ? queueLines * OVERFLOW : queueLines;
    this.#settings = settings;
    this.#node = deps.node;
    this.#queues = deps.sinks.map((sink) => new SinkQueue(sink, { ...deps, counters, lines }));
  }

  get requests(): AuditSettings["requests"] {
    return this.#settings.requests;
  }

  /** Nothing more may be begun until lines are written. */
  get mustRefuse(): boolean {
    const { onFull, queueLines } = this.#settings;
    return onFull === "refuse" && this.#queues.some(({ length }) => length >= queueLines);
  }

  /** Never throws and never waits. */
  record(event: AuditEvent): void {
    if (this.#queues.length === 0) return;
    const line = auditLine(event, this.#node);
    for (const queue of this.#queues) queue.add(line);
  }

  /** Resolves when every line is written, or was tried for five seconds. */
  async close(): Promise<void> {
    await Promise.all(this.#queues.map((queue) => queue.close()));
  }
}

interface SinkQueueDeps extends Pick<AuditLogDeps, "clock" | "log"> {
  readonly counters: Counters;
  /** How many may wait. */
  readonly lines: number;
}

class SinkQueue {
  readonly #sink: AuditSink;
  readonly #deps: SinkQueueDeps;
  readonly #stop = new AbortController();
  #waiting: string[] = [];
  #running: Promise<void> | undefined;
  #isFailing = false;

  constructor(sink: AuditSink, deps: SinkQueueDeps) {
    this.#sink = sink;
    this.#deps = deps;
    const labels = { sink: sink.name };
    // So that the first one that is dropped is seen as a rise.
    deps.counters.dropped.increment(labels, 0);
    deps.counters.waiting.set(0, labels);
  }

  get length(): number {
    return this.#waiting.length;
  }

  add(line: string): void {
    const labels = { sink: this.#sink.name };
    if (this.#waiting.length >= this.#deps.lines) {
      this.#deps.counters.dropped.increment(labels);
      return;
    }
    this.#waiting.push(line);
    this.#deps.counters.waiting.set(this.#waiting.length, labels);
    this.#running ??= this.#writeAll().finally(() => {
      this.#running = undefined;
    });
  }

  async close(): Promise<void> {
    const timer = this.#deps.clock.after(CLOSE_MS, () => this.#stop.abort());
    await this.#running;
    timer.cancel();
    if (this.#waiting.length > 0) {
      const { dropped } = this.#deps.counters;
      dropped.increment({ sink: this.#sink.name }, this.#waiting.length);
    }
    await this.#sink.close();
  }

  async #writeAll(): Promise<void> {
    const { signal } = this.#stop;
    // Whoever adds in the same turn joins the batch.
    await Promise.resolve();
    while (this.#waiting.length > 0 && !signal.aborted) {
      if (!(await this.#writeBatch())) await this.#rest();
    }
  }

  /** False when the sink failed; the lines stay. */
  async #writeBatch(): Promise<boolean> {
    const { counters, log } = this.#deps;
    const labels = { sink: this.#sink.name };
    const batch = this.#waiting.slice(0, BATCH_LINES_MAX);
    try {
      await this.#sink.write(utf8(batch.join("")));
    } catch (error) {
      counters.failures.increment(labels);
      const reason = toStoreError(error, "io").message;
      if (!this.#isFailing) log.warn("the audit log cannot be written", { ...labels, reason });
      this.#isFailing = true;
      return false;
    }
    this.#isFailing = false;
    this.#waiting = this.#waiting.slice(batch.length);
    counters.written.increment(labels, batch.length);
    counters.waiting.set(this.#waiting.length, labels);
    return true;
  }

  async #rest(): Promise<void> {
    const { signal } = this.#stop;
    if (signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = this.#deps.clock.after(RETRY_MS, resolve);
    signal.addEventListener("abort", () => resolve(), { once: true });
    await promise;
    timer.cancel();
  }
}

function countersOf(metrics: Metrics): Counters {
  const labels = ["sink"];
  return {
    written: metrics.counter("audit_lines_total", { help: "Audit lines written.", labels }),
    dropped: metrics.counter("audit_dropped_lines_total", {
      help: "Audit lines that were dropped, because too many waited.",
      labels,
    }),
    failures: metrics.counter("audit_failures_total", {
      help: "Attempts to write audit lines that failed; they are repeated.",
      labels,
    }),
    waiting: metrics.gauge("audit_waiting_lines", { help: "Audit lines that wait.", labels }),
  };
}
