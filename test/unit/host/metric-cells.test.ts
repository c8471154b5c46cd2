// Figures gathered in cells come out as prom-client shows them when it is told each one.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { AssertionFailure } from "../../../services/lib/base/assert.ts";
import { CellHistogram, Cells } from "../../../services/lib/host/metric-cells.ts";
import { createMetrics } from "../../../services/lib/host/metrics.ts";

const value = fc.constantFrom("", "a", "b", 'quo"te', "back\\slash", "line\nend", "\u0000");
const labelled = fc.record({ operation: value, code: value });
const amount = fc.oneof(
  fc.integer({ min: 0, max: 20 }),
  fc.double({ min: 0, max: 9, noNaN: true }),
);
const acts = fc.array(fc.record({ labels: labelled, amount }), { maxLength: 40 });
const BUCKETS = [0.5, 1, 2.5, 10];

test("a histogram's text is prom-client's, with labels and without", async () => {
  await fc.assert(
    fc.asyncProperty(acts, async (observed) => {
      for (const labelNames of [[], ["operation", "code"]]) {
        const registry = new Registry();
        const shape = { name: "wait_seconds", help: "Waits.\nIn \\ seconds.", labelNames };
        const theirs = new Histogram({ ...shape, buckets: [...BUCKETS], registers: [registry] });
        const ours = new CellHistogram({ ...shape, bounds: BUCKETS });
        for (const { labels, amount: seconds } of observed) {
          const given = labelNames.length === 0 ? {} : labels;
          theirs.observe(given, seconds);
          ours.observe(seconds, given);
        }
        assert.equal(`${ours.text()}\n`, await registry.metrics());
      }
    }),
    { numRuns: 50 },
  );
});

test("counters and gauges show what prom-client would, however often one looks", async () => {
  const registry = new Registry();
  const labelNames = ["operation", "code"];
  const shape = { help: "H.", labelNames, registers: [registry] };
  const theirs = {
    counter: new Counter({ ...shape, name: "dolium_x_total" }),
    gauge: new Gauge({ ...shape, name: "dolium_y" }),
  };
  const metrics = createMetrics({ nodeMetrics: false });
  const counter = metrics.counter("x_total", { help: "H.", labels: labelNames });
  const gauge = metrics.gauge("y", { help: "H.", labels: labelNames });
  for (const { labels, amount: by } of fc.sample(acts, 20).flat()) {
    theirs.counter.inc(labels, by);
    counter.increment(labels, by);
    theirs.gauge.set(labels, by);
    gauge.set(by, labels);
    if (by > 15) await metrics.expose();
  }
  const lines = (text: string) => text.split("\n").filter(Boolean).map(rounded).sort();
  assert.deepEqual(lines(await metrics.expose()), lines(await registry.metrics()));
  gauge.clear();
  assert.doesNotMatch(await metrics.expose(), /^dolium_y\{/m);
});

/** Sums of doubles differ by the order of adding. */
function rounded(line: string): string {
  return line.replace(/ (\d[\d.e+-]*)$/, (_all, number: string) => ` ${Number(number).toFixed(6)}`);
}

test("the second time costs no look at the labels, and no new cell", () => {
  let made = 0;
  const cells = new Cells(["code"], () => {
    made += 1;
    return { count: 0 };
  });
  for (let at = 0; at < 1000; at += 1) cells.at({ code: String(at % 2) }).count += 1;
  assert.equal(made, 2);
  assert.deepEqual([...cells.all()], [{ count: 500 }, { count: 500 }]);
});

test("an unknown label, a shrinking counter and what is no number are our mistakes", () => {
  const metrics = createMetrics({ nodeMetrics: false });
  const counter = metrics.counter("x_total", { help: "X.", labels: ["a"] });
  assert.throws(() => counter.increment({ b: "1" }), AssertionFailure);
  assert.throws(() => counter.increment({ a: "1" }, -1), AssertionFailure);
  const histogram = metrics.histogram("z_seconds", { help: "Z.", buckets: [1] });
  assert.throws(() => histogram.observe(Number.NaN), AssertionFailure);
});
