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

/** Worst figures of each kind of nemesis. */
function table(strikes: readonly Strike[]): string[] {
  const names = [...new Set(strikes.map(({ name }) => name))].sort();
  return names.map((name) => {
    const own = strikes.filter((strike) => strike.name === name);
    const worst = (of: (strike: Strike) => number): number => Math.max(...own.map(of));
    return (
      `${name.padEnd(16)} ${String(own.length).padStart(3)} times; longest without a write ` +
      `${worst(({ writeMs }) => writeMs)} ms, a read ${worst(({ readMs }) => readMs)} ms, ` +
      `until whole ${worst(({ wholeMs }) => wholeMs)} ms`
    );
  });
}
