// Runs the Raft simulation over seeds:
// `node test/sim/raft/main.ts --seeds A..B [--planted BUG] [--brief] [--verbose]`.
// Stops at the first failing seed and prints the command that repeats it; the exit code is then 1.
import process from "node:process";
import { parseArgs } from "node:util";
import type { LogLine } from "../observers.ts";
import { PLANTED_BUGS, type PlantedBug } from "./planted.ts";
import { type RunReport, simulate } from "./run.ts";

function plantedBug(name: string | undefined): PlantedBug | undefined {
  if (name === undefined) return undefined;
  const bug = PLANTED_BUGS.find((known) => known === name);
  if (bug === undefined)
    throw new Error(`no such bug: ${name} (known: ${PLANTED_BUGS.join(", ")})`);
  return bug;
}

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "1..100" },
    planted: { type: "string" },
    brief: { type: "boolean", default: false },
    verbose: { type: "boolean", default: false },
  },
});
const [from, to] = values.seeds.split("..").map(Number);
const planted = plantedBug(values.planted);
const totals: Record<string, number> = {};

function add(report: RunReport): void {
  const { acknowledged, refused, unknown, reads, faults } = report;
  const counts = { runs: 1, acknowledged, refused, unknown, reads, ...faults };
  for (const [name, count] of Object.entries(counts)) totals[name] = (totals[name] ?? 0) + count;
}

for (let seed = from ?? 1; seed <= (to ?? from ?? 1); seed += 1) {
  const lines: LogLine[] = [];
  try {
    const report = await simulate({
      seed,
      brief: values.brief,
      ...(planted === undefined ? {} : { planted }),
      ...(values.verbose ? { lines } : {}),
    });
    add(report);
    if (values.verbose) process.stdout.write(`${JSON.stringify(report)}\n`);
  } catch (error) {
    for (const { level, message, fields, error: cause } of lines) {
      const reason = cause === undefined ? "" : ` ${String(cause)}`;
      process.stderr.write(`${level} ${message} ${JSON.stringify(fields)}${reason}\n`);
    }
    process.stderr.write(`seed ${seed} failed: ${error instanceof Error ? error.stack : error}\n`);
    if (error instanceof Error && error.cause !== undefined) {
      process.stderr.write(`cause: ${error.cause instanceof Error ? error.cause.stack : ""}\n`);
    }
    const brief = values.brief ? " --brief" : "";
    const bug = planted === undefined ? "" : ` --planted ${planted}`;
    process.stderr.write(
      `repeat: node test/sim/raft/main.ts --seeds ${seed}..${seed}${brief}${bug} --verbose\n`,
    );
    process.exitCode = 1;
    break;
  }
}
process.stdout.write(`${JSON.stringify(totals)}\n`);
