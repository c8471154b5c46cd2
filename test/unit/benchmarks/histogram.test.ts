// Latencies in buckets: quantiles are never better than the truth, and at most 1/32 worse.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Histogram } from "../../../benchmarks/runner/histogram.ts";
import { runSeed, seededRandom } from "../../support/seeded-bytes.ts";

test("quantiles are those of the sorted values, rounded up by a bucket", () => {
  const random = seededRandom(runSeed("histogram"));
  const values = Array.from({ length: 5000 }, () => 10 ** (random() * 6 - 2));
  const histogram = new Histogram();
  for (const value of values) histogram.add(value);
  const sorted = values.toSorted((left, right) => left - right);
  for (const fraction of [0.01, 0.5, 0.9, 0.99, 1]) {
    const exact = sorted[Math.ceil(fraction * sorted.length) - 1] ?? 0;
    const told = histogram.quantile(fraction);
    assert.ok(told >= exact, `${fraction}: ${told} is below ${exact}`);
    assert.ok(told <= exact * (1 + 1 / 32) + 0.001, `${fraction}: ${told} for ${exact}`);
  }
  assert.equal(histogram.count, values.length);
  assert.equal(histogram.maxMs, sorted.at(-1));
});

test("what went through a record and what was merged counts the same", () => {
  const parts = [
    [0, 0.0005, 1, 70],
    [3, 3, 1e9],
  ];
  const whole = new Histogram();
  const merged = new Histogram();
  for (const part of parts) {
    const one = new Histogram();
    for (const value of part) {
      one.add(value);
      whole.add(value);
    }
    merged.merge(Histogram.from(JSON.parse(JSON.stringify(one.toRecord()))));
  }
  assert.deepEqual(merged.toRecord(), whole.toRecord());
  assert.deepEqual(merged.bars(), whole.bars());
  assert.equal(merged.count, 7);
  assert.equal(merged.quantile(1), 1e9, "no quantile exceeds the largest value");
  assert.throws(() => merged.add(-1));
});

test("an empty histogram has no latency", () => {
  const empty = new Histogram();
  assert.equal(empty.quantile(0.99), 0);
  assert.deepEqual(empty.bars(), []);
});
