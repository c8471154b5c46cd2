// `npm run bench`: measures the store beside a floor, or its parts with --micro. With --json,
// standard output has one JSON object (see runner/contract.ts); how it goes is told on standard
// error. Exit code 1: something failed, or a case is much worse than in the baseline; 2: wrong
// options.
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { BenchError } from "./runner/bench-error.ts";
import { compare, comparisonText } from "./runner/compare.ts";
import { type Options, parseOptions, USAGE } from "./runner/options.ts";
import { plotsOf } from "./runner/plots.ts";
import { tableOf } from "./runner/report.ts";
import { runBench } from "./runner/run-bench.ts";
import { runSoak } from "./runner/soak.ts";

async function measure(options: Options): Promise<number> {
  if (options.isMicro) return runParts();
  if (options.soakSeconds !== undefined) {
    process.stdout.write(`${JSON.stringify(await runSoak(options, tell))}\n`);
    return 0;
  }
  const { document, measured } = await runBench(options, tell);
  process.stdout.write(options.isJson ? `${JSON.stringify(document)}\n` : tableOf(document));
  if (options.record !== undefined) {
    writeFileSync(options.record, `${JSON.stringify(document, undefined, 2)}\n`);
  }
  if (options.plots !== undefined) {
    mkdirSync(options.plots, { recursive: true });
    for (const { fileName, svg } of plotsOf(measured)) {
      writeFileSync(join(options.plots, fileName), svg);
    }
  }
  if (options.compare === undefined) return 0;
  const comparisons = compare(JSON.parse(readFileSync(options.compare, "utf8")), document);
  tell(comparisonText(comparisons).trimEnd());
  return comparisons.some(({ isWorse }) => isWorse) ? 1 : 0;
}

/** Each part has a program of its own, which prints what it measured. */
function runParts(): number {
  const folder = join(import.meta.dirname, "micro");
  for (const name of readdirSync(folder).sort()) {
    tell(`-- ${name}`);
    const { status } = spawnSync(process.execPath, [join(folder, name)], { stdio: "inherit" });
    if (status !== 0) return 1;
  }
  return 0;
}

function tell(text: string): void {
  process.stderr.write(`${text}\n`);
}

function optionsOf(args: readonly string[]): Options | undefined {
  try {
    return parseOptions(args);
  } catch (error) {
    if (!(error instanceof BenchError)) throw error;
    tell(`${error.message}\n\n${USAGE}`);
    return undefined;
  }
}

const args = process.argv.slice(2);
if (args.includes("--help")) {
  process.stdout.write(`${USAGE}\n`);
} else {
  const options = optionsOf(args);
  if (options === undefined) {
    process.exitCode = 2;
  } else {
    try {
      process.exitCode = await measure(options);
    } catch (error) {
      if (!(error instanceof BenchError)) throw error;
      tell(error.message);
      process.exitCode = 1;
    }
  }
}
