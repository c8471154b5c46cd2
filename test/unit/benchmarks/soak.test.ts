// A soak in figures: what a process holds early and late, and how late its event loop was.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { JobResult } from "../../../benchmarks/load/job.ts";
import { Histogram } from "../../../benchmarks/runner/histogram.ts";
import { parseOptions } from "../../../benchmarks/runner/options.ts";
import { figuresOf, type SoakSample } from "../../../benchmarks/runner/soak.ts";

const MIB = 2 ** 20;

function resultOf(...latencies: number[]): JobResult {
  const latency = new Histogram();
  for (const ms of latencies) latency.add(ms);
  const record = latency.toRecord();
  const operations = latencies.length;
  return { operations, bytes: 0, seconds: 1, latency: record, firstByte: record };
}

function samplesOf(mebibytes: readonly number[]): SoakSample[] {
  return mebibytes.map((mib, at) => ({ residentBytes: mib * MIB, lagP99Ms: 10 + at }));
}

test("growth shows between the second quarter and the last; the start does not count", () => {
  const samples = samplesOf([10, 20, 200, 210, 205, 500, 400, 410]);
  const whole = { seconds: 8, large: resultOf(100), mixed: resultOf(1, 2, 3) };
  const figures = figuresOf(samples, whole);
  assert.deepEqual(figures.residentMib, { early: 205, late: 405, highest: 500 });
  assert.deepEqual(figures.lagP99Ms, { median: 13.5, highest: 17 });
  assert.equal(figures.largeReads.operations, 1);
  assert.equal(figures.mixed.operations, 3);
  assert.equal(figures.samples, 8);
});

test("one sample is enough", () => {
  const whole = { seconds: 1, large: resultOf(1), mixed: resultOf(1) };
  const { residentMib } = figuresOf(samplesOf([7]), whole);
  assert.deepEqual(residentMib, { early: 7, late: 7, highest: 7 });
});

test("seconds are a whole number", () => {
  assert.equal(parseOptions(["--soak", "300"]).soakSeconds, 300);
  assert.equal(parseOptions([]).soakSeconds, undefined);
  for (const wrong of ["0", "1.5", "", "x", "99999"]) {
    assert.throws(() => parseOptions(["--soak", wrong]), /--soak is a number/);
  }
});
