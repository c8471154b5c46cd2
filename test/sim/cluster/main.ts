// Runs the simulation of a whole cluster:
// `npm run sim -- --seed N | --seeds A..B [--planted BUG] [--twice] [--verbose]`. With --twice each
// seed is run two times, which must give the same trace.
// Stops at the first failing seed and prints the command that repeats it; the exit code is then 1.
import process from "node:process";
import { parseArgs } from "node:util";
import type { LogLine } from "../observers.ts";
import type { Bug } from "./planted/bug.ts";
import { PLANTED_BUGS } from "./planted/plant.ts";
import { type RunReport, simulate } from "./run.ts";

function plantedBug(name: string | undefined): Bug | undefined {
  if (name === undefined) return undefined;
  const bug = PLANTED_BUGS.get(name);
  if (bug !== undefined) return bug;
  throw new Error(`no such bug: ${name} (known: ${[...PLANTED_BUGS.keys()].join(", ")})`);
}

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    seeds: { type: "string", default: "1..20" },
    planted: { type: "string" },
    twice: { type: "boolean", default: false },
    verbose: { type: "boolean", default: false },
  },
});
const range = values.seed === undefined ? values.seeds : `${values.seed}..${values.seed}`;
const [from = 1, to = from] = range.split("..").map(Number);
const planted = plantedBug(values.planted);
const totals: Record<string, number> = {};

function add(report: RunReport): void {
  const { virtualMs, events, operations, faults, ranges } = report;
  const counts = { runs: 1, virtualMs, events, ranges, ...operations, ...faults };
  for (const [name, count] of Object.entries(counts)) totals[name] = (totals[name] ?? 0) + count;
}

async function repeat({ seed, traceHash }: RunReport): Promise<void> {
  const again = await simulate({ seed, planted });
  if (again.traceHash === traceHash) return;
  throw new Error(`not deterministic: ${traceHash}, then ${again.traceHash}`);
}

function showFailure(seed: number, error: unknown, lines: readonly LogLine[]): void {
  for (const { level, message, fields, error: cause } of lines) {
    const reason = cause === undefined ? "" : ` ${String(cause)}`;
    process.stderr.write(`${level} ${message} ${JSON.stringify(fields, plain)}${reason}\n`);
  }
  const text = error instanceof Error ? error.stack : String(error);
  process.stderr.write(`seed ${seed} failed: ${text}\n`);
  const bug = planted === undefined ? "" : ` --planted ${values.planted}`;
  process.stderr.write(`repeat: npm run sim -- --seed ${seed}${bug} --verbose\n`);
}

function plain(_name: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}

for (let seed = from; seed <= to; seed += 1) {
  const lines: LogLine[] = [];
  const events: string[] = [];
  try {
    const report = await simulate({
      seed,
      planted,
      ...(values.verbose ? { lines, events } : {}),
    });
    if (values.twice) await repeat(report);
    add(report);
    if (values.verbose) process.stdout.write(`${JSON.stringify(report)}\n`);
  } catch (error) {
    showFailure(seed, error, lines);
    process.exitCode = 1;
    break;
  }
}
process.stdout.write(`${JSON.stringify(totals)}\n`);
