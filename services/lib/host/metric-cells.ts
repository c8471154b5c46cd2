// What a metric counts, in one cell for each combination of label values: a request touches a dozen
// metrics, and prom-client hashes and checks the labels each time, 2 us for each. Counters and
// gauges are handed on to prom-client when somebody looks; histograms are kept and shown here, in
// the same text format.
// Source: prometheus.io, "Exposition formats", text-based format.
import { assert } from "../base/assert.ts";
import type { Labels } from "../ports/metrics.ts";

const NO_LABELS: Labels = {};

/** A cell for each combination of values of the labels; made when it is met first. */
export class Cells<T> {
  readonly #names: readonly string[];
  readonly #create: (labels: Labels) => T;
  readonly #cells = new Map<string, T>();
  #unlabelled: T | undefined;

  /** `create` may throw: the cell is then not there. */
  constructor(names: readonly string[], create: (labels: Labels) => T) {
    this.#names = names;
    this.#create = create;
  }

  at(labels: Labels = NO_LABELS): T {
    if (this.#names.length === 0) {
      this.#unlabelled ??= this.#new("", labels);
      return this.#unlabelled;
    }
    let key = "";
    // With their lengths, so that no two combinations are one text.
    for (const name of this.#names) {
      const value = labels[name] ?? "";
      key += `${value.length}:${value}`;
    }
    return this.#cells.get(key) ?? this.#new(key, labels);
  }

  all(): Iterable<T> {
    return this.#cells.values();
  }

  clear(): void {
    this.#cells.clear();
    this.#unlabelled = undefined;
  }

  #new(key: string, labels: Labels): T {
    const unknown = Object.keys(labels).filter((name) => !this.#names.includes(name));
    assert(unknown.length === 0, `metrics: no label ${unknown.join()} was declared`);
    const cell = this.#create({ ...labels });
    this.#cells.set(key, cell);
    return cell;
  }
}

interface Counts {
  readonly labels: Labels;
  /** Of values at most the bound of that place, and above the one before; the last has no bound. */
  readonly counts: number[];
  sum: number;
}

export interface HistogramShape {
  /** With the prefix. */
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly string[];
  /** Ascending. */
  readonly bounds: readonly number[];
}

export class CellHistogram {
  readonly shape: HistogramShape;
  readonly #cells: Cells<Counts>;

  constructor(shape: HistogramShape) {
    this.shape = shape;
    const { labelNames, bounds } = shape;
    assert(!labelNames.includes("le"), "metrics: le is the label of buckets");
    const places = bounds.length + 1;
    this.#cells = new Cells(labelNames, (labels) => ({
      labels,
      counts: Array.from({ length: places }, () => 0),
      sum: 0,
    }));
    // Without labels there is one series, and it is shown from the start.
    if (labelNames.length === 0) this.#cells.at();
  }

  observe(value: number, labels?: Labels): void {
    assert(Number.isFinite(value), `metric ${this.shape.name}: no finite number`);
    const cell = this.#cells.at(labels);
    const { bounds } = this.shape;
    let place = 0;
    while (place < bounds.length && value > (bounds[place] ?? 0)) place += 1;
    cell.counts[place] = (cell.counts[place] ?? 0) + 1;
    cell.sum += value;
  }

  /** Its part of the page, without an empty line behind it. */
  text(): string {
    const { name, help } = this.shape;
    const lines = [`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} histogram`];
    for (const cell of this.#cells.all()) lines.push(...this.#series(cell));
    return lines.join("\n");
  }

  #series({ labels, counts, sum }: Counts): string[] {
    const { name, bounds } = this.shape;
    const shared = Object.entries(labels).map(
      ([label, value]) => `${label}="${escapeValue(value)}"`,
    );
    let total = 0;
    const lines = counts.map((count, place) => {
      total += count;
      const le = place < bounds.length ? String(bounds[place]) : "+Inf";
      return `${name}_bucket{${[`le="${le}"`, ...shared].join()}} ${total}`;
    });
    const tail = shared.length === 0 ? "" : `{${shared.join()}}`;
    return [...lines, `${name}_sum${tail} ${sum}`, `${name}_count${tail} ${total}`];
  }
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function escapeValue(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}
