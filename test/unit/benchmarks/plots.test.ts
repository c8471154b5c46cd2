// Plots are well-formed SVG, one of latencies a case and one of rates where connections vary.
import assert from "node:assert/strict";
import { test } from "node:test";
import { SaxesParser } from "saxes";
import { Histogram } from "../../../benchmarks/runner/histogram.ts";
import type { Measured } from "../../../benchmarks/runner/measure.ts";
import { plotsOf } from "../../../benchmarks/runner/plots.ts";

const FIGURES = { mibPerSecond: 1, p50Ms: 1, p99Ms: 2, firstByteP50Ms: 1, cpuMsPerOperation: null };

function measured(name: string, opsPerSecond: number, latencies: readonly number[]): Measured {
  const latency = new Histogram();
  for (const ms of latencies) latency.add(ms);
  const floor = { ...FIGURES, opsPerSecond: 2 * opsPerSecond };
  return {
    result: { name, mode: "server", rounds: 1, ...FIGURES, opsPerSecond, floor, ratio: 0.5 },
    latency,
    floorLatency: latency,
  };
}

function elementsOf(svg: string): string[] {
  const names: string[] = [];
  const parser = new SaxesParser();
  parser.on("error", (error) => assert.fail(error));
  parser.on("opentag", ({ name }) => names.push(name));
  parser.write(svg).close();
  return names;
}

test("each case has its latencies, several connections a curve", () => {
  const plots = plotsOf([
    measured("put-4KiB-c1", 100, [1, 1, 2, 300]),
    measured("put-4KiB-c32", 900, [0.004]),
    measured("get-1MiB-c1", 0.5, [2000]),
  ]);
  assert.deepEqual(
    plots.map(({ fileName }) => fileName),
    [
      "server-put-4KiB-c1-latency.svg",
      "server-put-4KiB-c32-latency.svg",
      "server-get-1MiB-c1-latency.svg",
      "server-put-4KiB-scaling.svg",
    ],
  );
  for (const { svg, fileName } of plots) {
    assert.doesNotMatch(svg, /NaN|Infinity|undefined/, fileName);
    const shape = fileName.endsWith("scaling.svg") ? "polyline" : "rect";
    assert.ok(elementsOf(svg).filter((name) => name === shape).length >= 2, fileName);
  }
});
