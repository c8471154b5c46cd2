// Metrics behind the port, gathered in cells (metric-cells.ts), kept by prom-client but for
// histograms, and shown as Prometheus text. Every name of ours
// gets the prefix `dolium_`; Node's own metrics keep prom-client's names. A metric registered twice
// with the same kind and labels is one metric, so that several nodes may live in one process.
import {
  collectDefaultMetrics,
  Counter as PromCounter,
  Gauge as PromGauge,
  Histogram as PromHistogram,
  Summary as PromSummary,
  Registry,
} from "prom-client";
import { assert } from "../base/assert.ts";
import type { Counter, Gauge, MetricOptions, Metrics } from "../ports/metrics.ts";
import { CellHistogram, Cells } from "./metric-cells.ts";

const PREFIX = "dolium_";

export interface MetricsRegistry extends Metrics {
  /** The Content-Type of `expose`. */
  readonly contentType: string;
  /** Everything registered, in Prometheus' text format. */
  expose(): Promise<string>;
  /**
   * Called before each `expose`, for figures that are only worth making when somebody looks. What
   * throws is left out; the rest is shown.
   */
  beforeExpose(refresh: () => void | Promise<void>): void;
  /** What is registered, Node's own metrics included, by name. */
  describe(): readonly MetricDescription[];
}

export interface MetricDescription {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram" | "summary";
  readonly help: string;
  readonly labels: readonly string[];
}

export interface MetricsOptions {
  /** Event loop, heap, garbage collection, file descriptors. Default true. */
  readonly nodeMetrics?: boolean;
}

interface Registered {
  readonly shape: string;
  readonly metric: unknown;
}

export function createMetrics(options: MetricsOptions = {}): MetricsRegistry {
  const registry = new Registry();
  if (options.nodeMetrics !== false) collectDefaultMetrics({ register: registry });
  const known = new Map<string, Registered>();
  const refreshers: (() => void | Promise<void>)[] = [];
  const histograms: CellHistogram[] = [];
  const settlers: (() => void)[] = [];

  function once<T>(name: string, shape: readonly unknown[], create: () => T): T {
    assert(/^[a-z][a-z0-9_]*$/.test(name), `metric ${name}: not in snake_case`);
    const text = JSON.stringify(shape);
    const before = known.get(name);
    if (before !== undefined) {
      assert(before.shape === text, `metric ${name}: registered with another kind or labels`);
      // The shape names the kind, so the metric has the type that it was created with.
      return before.metric as T;
    }
    const metric = create();
    known.set(name, { shape: text, metric });
    return metric;
  }
  const described = (name: string, { help, labels = [] }: MetricOptions) => ({
    name: PREFIX + name,
    help,
    labelNames: [...labels],
    registers: [registry],
  });

  return {
    contentType: registry.contentType,
    async expose(): Promise<string> {
      await Promise.allSettled(refreshers.map(async (refresh) => refresh()));
      for (const settle of settlers) settle();
      const kept = await registry.metrics();
      const own = histograms.map((histogram) => `${histogram.text()}\n`);
      return [kept, ...own].join("\n");
    },
    beforeExpose: (refresh) => {
      refreshers.push(refresh);
    },
    describe: () => descriptionsOf(registry, histograms),
    counter(name, given) {
      assert(name.endsWith("_total"), `metric ${name}: a counter's name ends in _total`);
      return once(name, ["counter", given.labels], () => {
        const { counter, settle } = counterOf(new PromCounter(described(name, given)), given);
        settlers.push(settle);
        return counter;
      });
    },
    gauge(name, given) {
      assert(!name.endsWith("_total"), `metric ${name}: only a counter's name ends in _total`);
      return once(name, ["gauge", given.labels], () => {
        const { gauge, settle } = gaugeOf(new PromGauge(described(name, given)), given);
        settlers.push(settle);
        return gauge;
      });
    },
    histogram(name, given) {
      assert(!name.endsWith("_total"), `metric ${name}: only a counter's name ends in _total`);
      const bounds = ascending(name, given.buckets);
      return once(name, ["histogram", given.labels, bounds], () => {
        const { help, labels: labelNames = [] } = given;
        const made = new CellHistogram({ name: PREFIX + name, help, labelNames, bounds });
        histograms.push(made);
        return made;
      });
    },
  };
}

function ascending(name: string, buckets: readonly number[]): readonly number[] {
  const isSo = buckets.every((bound, at) => at === 0 || bound > (buckets[at - 1] ?? bound));
  assert(isSo, `metric ${name}: buckets must ascend`);
  return [...buckets];
}

/** `settle` brings prom-client's counter up to date. */
function counterOf(metric: PromCounter, { labels: labelNames = [] }: MetricOptions) {
  const cells = new Cells(labelNames, (labels) => ({ labels, pending: 0 }));
  const counter: Counter = {
    increment(labels, amount = 1): void {
      assert(amount >= 0 && Number.isFinite(amount), "a counter only grows");
      cells.at(labels).pending += amount;
    },
  };
  const settle = (): void => {
    for (const cell of cells.all()) {
      metric.inc(cell.labels, cell.pending);
      cell.pending = 0;
    }
  };
  return { counter, settle };
}

function gaugeOf(metric: PromGauge, { labels: labelNames = [] }: MetricOptions) {
  const cells = new Cells(labelNames, (labels) => ({ labels, value: 0 }));
  const gauge: Gauge = {
    set(value, labels): void {
      assert(typeof value === "number", "a gauge shows a number");
      cells.at(labels).value = value;
    },
    clear(): void {
      cells.clear();
      metric.reset();
    },
  };
  const settle = (): void => {
    for (const { labels, value } of cells.all()) metric.set(labels, value);
  };
  return { gauge, settle };
}

/** prom-client keeps kind and label names in the metric, though its types do not say so. */
function descriptionsOf(
  registry: Registry,
  histograms: readonly CellHistogram[],
): MetricDescription[] {
  const found = registry.getMetricsAsArray().map((metric) => {
    const labels: unknown = Reflect.get(metric, "labelNames");
    return {
      name: metric.name,
      type: kindOf(metric),
      help: metric.help,
      labels: Array.isArray(labels) ? labels.map(String) : [],
    };
  });
  for (const { shape } of histograms) {
    const { name, help, labelNames } = shape;
    found.push({ name, type: "histogram", help, labels: [...labelNames] });
  }
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function kindOf(metric: object): MetricDescription["type"] {
  if (metric instanceof PromCounter) return "counter";
  if (metric instanceof PromHistogram) return "histogram";
  return metric instanceof PromSummary ? "summary" : "gauge";
}
