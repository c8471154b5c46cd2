// Medians, and figures of rounds as one.
import { present } from "../../services/lib/base/assert.ts";
import type { JobResult } from "../load/job.ts";
import type { Figures } from "./contract.ts";
import { Histogram } from "./histogram.ts";

const MIB = 2 ** 20;

/** What one side did in one round. */
export interface Round {
  readonly result: JobResult;
  readonly cpuMs: number | undefined;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  const middle = Math.floor(sorted.length / 2);
  const upper = present(sorted[middle], "a value");
  return sorted.length % 2 === 1 ? upper : (upper + present(sorted[middle - 1], "a value")) / 2;
}

export function rateOf({ result }: Round): number {
  return result.operations / result.seconds;
}

export function latenciesOf(rounds: readonly Round[]): Histogram {
  return mergedOf(rounds, "latency");
}

/** Rates are medians of the rounds, latencies those of all of them together. */
export function figuresOf(rounds: readonly Round[]): Figures {
  const latency = latenciesOf(rounds);
  const operations = rounds.reduce((sum, { result }) => sum + result.operations, 0);
  const cpuMs = rounds.reduce((sum, round) => sum + (round.cpuMs ?? Number.NaN), 0);
  return {
    mibPerSecond: rounded(median(rounds.map(({ result }) => result.bytes / MIB / result.seconds))),
    opsPerSecond: rounded(median(rounds.map(rateOf))),
    p50Ms: rounded(latency.quantile(0.5)),
    p99Ms: rounded(latency.quantile(0.99)),
    firstByteP50Ms: rounded(mergedOf(rounds, "firstByte").quantile(0.5)),
    cpuMsPerOperation: Number.isNaN(cpuMs) ? null : rounded(cpuMs / operations),
  };
}

/** Four digits say all that a measurement knows. */
export function rounded(value: number): number {
  return Number(value.toPrecision(4));
}

function mergedOf(rounds: readonly Round[], which: "latency" | "firstByte"): Histogram {
  const all = new Histogram();
  for (const { result } of rounds) all.merge(Histogram.from(result[which]));
  return all;
}
