// Metrics as a port. Names follow Prometheus: snake_case, base units, `_total` on counters only;
// the implementation adds the prefix `dolium_`. Register once at construction; label values must be
// bounded.

export type Labels = Readonly<Record<string, string>>;

export interface Counter {
  increment(labels?: Labels, amount?: number): void;
}

export interface Gauge {
  set(value: number, labels?: Labels): void;
  /** Forgets every series: for figures of things that come and go, set anew as a whole. */
  clear(): void;
}

export interface Histogram {
  observe(value: number, labels?: Labels): void;
}

export interface MetricOptions {
  readonly help: string;
  readonly labels?: readonly string[];
}

export interface Metrics {
  counter(name: string, options: MetricOptions): Counter;
  gauge(name: string, options: MetricOptions): Gauge;
  /** `buckets`: upper bounds, ascending, in the metric's unit. */
  histogram(
    name: string,
    options: MetricOptions & { readonly buckets: readonly number[] },
  ): Histogram;
}
