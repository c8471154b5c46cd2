// A run's result for people: what was done, what the checkers said, and how long recovery took.
import type { Result, Strike } from "./round.ts";

const PROBLEMS_MAX = 20;

export function summary(result: Result): string {
  const { judgement, strikes, answers, operations } = result;
  const { violations, unknown, problems } = judgement;
  const all = [...result.problems, ...problems, ...violations, ...unknown.map((key) => `? ${key}`)];
  return [
    `${operations} operations on ${judgement.keys} keys, ${judgement.listings} listings, ` +
      `${result.versions} versions read by id`,
    `verdicts: ${violations.length} violations, ${unknown.length} unknown; ` +
      `porcupine: ${judgement.porcupine}`,
    ...table(strikes),
    `answers: ${[...answers]
      .sort()
      .map(([name, count]) => `${name}: ${count}`)
      .join("; ")}`,
    ...all.slice(0, PROBLEMS_MAX),
    all.length > PROBLEMS_MAX ? `... and ${all.length - PROBLEMS_MAX} more` : "",
    result.isGood ? "good" : `BAD: ${all.length} problems`,
  ]
    .filter((line) => line !== "")
    .join("\n");
}

/** The value that so large a share of the sorted values does not exceed. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
}

/** Median, 99 of 100, worst. */
function spread(values: readonly number[]): string {
  return [0.5, 0.99, 1].map((share) => quantile(values, share)).join(" / ");
}

/** Figures of each kind of nemesis over all its strikes. */
function table(strikes: readonly Strike[]): string[] {
  const names = [...new Set(strikes.map(({ name }) => name))].sort();
  return names.map((name) => {
    const own = strikes.filter((strike) => strike.name === name);
    const writes = spread(own.map(({ writeMs }) => writeMs));
    const reads = spread(own.map(({ readMs }) => readMs));
    const whole = spread(own.map(({ wholeMs }) => wholeMs));
    const flips = own.reduce((sum, strike) => sum + strike.flips, 0);
    return (
      `${name.padEnd(16)} ${String(own.length).padStart(3)} times; p50 / p99 / worst without ` +
      `a write ${writes} ms, a read ${reads} ms, until whole ${whole} ms` +
      (flips === 0 ? "" : `; ${flips} bits flipped`)
    );
  });
}
