// A run as a table for people, and the machine it ran on.
import { availableParallelism, cpus, loadavg, totalmem } from "node:os";
import process from "node:process";
import type { BenchDocument, Machine, Result } from "./contract.ts";

const HEAD = [
  "CASE",
  "MODE",
  "RATIO",
  "MIB/S",
  "OPS/S",
  "P50 MS",
  "P99 MS",
  "1ST BYTE",
  "CPU MS",
  "FLOOR MIB/S",
  "FLOOR OPS/S",
  "FLOOR P50",
];

export function machineNow(): Machine {
  return {
    processor: cpus()[0]?.model.trim() ?? "",
    processors: availableParallelism(),
    memoryBytes: totalmem(),
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
    load: Number((loadavg()[0] ?? 0).toFixed(2)),
  };
}

export function tableOf({ machine, results, others, skipped, payload }: BenchDocument): string {
  const { processor, processors, platform, node, load } = machine;
  const about = `${processor}, ${processors} processors, ${platform}, Node ${node}, load ${load}`;
  const rows = [HEAD, ...[...results, ...others].map(rowOf)];
  const widths = HEAD.map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  const lines = rows.map((row) =>
    row
      .map((text, at) => (at < 2 ? text.padEnd(widths[at] ?? 0) : text.padStart(widths[at] ?? 0)))
      .join("  "),
  );
  const left = skipped.map(({ name, mode }) => `no time for ${name} (${mode})`);
  return `${[about, `payload: ${payload}`, "", ...lines, ...left].join("\n")}\n`;
}

function rowOf({ name, mode, ratio, floor, ...figures }: Result): string[] {
  return [
    name,
    mode,
    `${(ratio * 100).toFixed(1)}%`,
    String(figures.mibPerSecond),
    String(figures.opsPerSecond),
    String(figures.p50Ms),
    String(figures.p99Ms),
    String(figures.firstByteP50Ms),
    String(figures.cpuMsPerOperation ?? "-"),
    String(floor.mibPerSecond),
    String(floor.opsPerSecond),
    String(floor.p50Ms),
  ];
}
