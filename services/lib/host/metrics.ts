// Metrics behind the port, kept by prom-client and shown as Prometheus text. Every name of ours
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
import type { Labels, MetricOptions, Metrics } from "../ports/metrics.ts";

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
      return registry.metrics();
    },
    beforeExpose: (refresh) => {
      refreshers.push(refresh);
    },
    describe: () => descriptionsOf(registry),
    counter(name, given) {
      assert(name.endsWith("_total"), `metric ${name}: a counter's name ends in _total`);
      const create = () => new PromCounter(described(name, given));
      const metric = once(name, ["counter", given.labels], create);
      return { increment: (labels: Labels = {}, amount = 1) => metric.inc({ ...labels }, amount) };
    },
    gauge(name, given) {
      assert(!name.endsWith("_total"), `metric ${name}: only a counter's name ends in _total`);
      const create = () => new PromGauge(described(name, given));
      const metric = once(name, ["gauge", given.labels], create);
      return {
        set: (value, labels = {}) => metric.set({ ...labels }, value),
        clear: () => metric.reset(),
      };
    },
    histogram(name, given) {
      assert(!name.endsWith("_total"), `metric ${name}: only a counter's name ends in _total`);
      const buckets = [...given.buckets];
      assert(
        buckets.every((bound, index) => index === 0 || bound > (buckets[index - 1] ?? bound)),
        `metric ${name}: buckets must ascend`,
      );
      const create = () => new PromHistogram({ ...described(name, given), buckets });
      const metric = once(name, ["histogram", given.labels, buckets], create);
      return { observe: (value, labels = {}) => metric.observe({ ...labels }, value) };
    },
  };
}

/** prom-client keeps kind and label names in the metric, though its types do not say so. */
function descriptionsOf(registry: Registry): MetricDescription[] {
  const found = registry.getMetricsAsArray().map((metric) => {
    const labels: unknown = Reflect.get(metric, "labelNames");
    return {
      name: metric.name,
      type: kindOf(metric),
      help: metric.help,
      labels: Array.isArray(labels) ? labels.map(String) : [],
    };
  });
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function kindOf(metric: object): MetricDescription["type"] {
  if (metric instanceof PromCounter) return "counter";
  if (metric instanceof PromHistogram) return "histogram";
  return metric instanceof PromSummary ? "summary" : "gauge";
}
