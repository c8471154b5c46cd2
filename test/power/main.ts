// `node test/power/main.ts --cycles N --seed S --fs ext4|xfs|both --directories 1|6|both`: power
// cuts under load until done or until something is wrong. Prints one line per kind of store; exit
// code 1 for any violation, with the seed that repeats the run.
import { accessSync, constants } from "node:fs";
import { tmpdir } from "node:os";
import process from "node:process";
import { parseArgs } from "node:util";
import { cannotCut, type FilesystemKind } from "./loop-filesystems.ts";
import { type PowerReport, PowerRun } from "./power-run.ts";

const { values } = parseArgs({
  options: {
    cycles: { type: "string", default: "100" },
    seed: { type: "string", default: String(Date.now() % 1_000_000_007) },
    fs: { type: "string", default: "both" },
    directories: { type: "string", default: "both" },
    processes: { type: "boolean", default: false },
  },
});

/** Memory where there is some to lay files in: the disk below would only slow the cycles down. */
export function imageFolder(): string {
  try {
    accessSync("/dev/shm", constants.W_OK);
    return "/dev/shm";
  } catch {
    return tmpdir();
  }
}

function describe(report: PowerReport): string {
  const { cycles, cuts, acknowledged, unknown, violations, errors, startMs } = report;
  const lines = [
    `${cycles} cycles, ${cuts} cuts, ${acknowledged} acknowledged, ${unknown} unanswered, ` +
      `${violations.length} violations, ${Math.round(startMs / Math.max(1, cycles))} ms to start`,
    ...[...errors].map(([message, count]) => `  logged ${count}x: ${message}`),
    ...violations.map((words) => `  VIOLATION ${words}`),
  ];
  return lines.join("\n");
}

const kinds: FilesystemKind[] =
  values.fs === "both" ? ["ext4", "xfs"] : [values.fs === "xfs" ? "xfs" : "ext4"];
const layouts: (1 | 6)[] =
  values.directories === "both" ? [1, 6] : [values.directories === "6" ? 6 : 1];
const stores = kinds.flatMap((kind) => layouts.map((directories) => ({ kind, directories })));
const how = values.processes ? "process" : "embedded";
const seed = Number(values.seed);
const cycles = Math.ceil(Number(values.cycles) / stores.length);
const folder = imageFolder();
let isStopped = false;
let current: PowerRun | undefined;
const stop = async (): Promise<void> => {
  isStopped = true;
  await current?.close();
  process.exit(130);
};
process.once("exit", () => current?.removeNow());
process.once("SIGINT", () => void stop()).once("SIGTERM", () => void stop());

process.stdout.write(`images in ${folder}\n`);
for (const { kind, directories } of stores) {
  if (isStopped) break;
  const reason = cannotCut(kind, folder);
  if (reason !== undefined) throw new Error(reason);
  const run = new PowerRun({ kind, directories, seed, folder, how });
  current = run;
  const startedAt = performance.now();
  try {
    await run.run(cycles);
  } finally {
    const seconds = Math.round((performance.now() - startedAt) / 1000);
    const options = `--cycles ${cycles} --seed ${seed} --fs ${kind} --directories ${directories}`;
    process.stdout.write(`${options} (${how}): ${describe(run.report)} in ${seconds} s\n`);
    if (run.report.violations.length > 0) process.exitCode = 1;
    await run.close();
  }
}
// What an embedded store of before still waits for is of no use any more.
process.exit();
