// Runs the tests: `node test/run.ts [folder or file ...]` (default: everything under test/). Names
// the files that took longest. The last line is `N passed, N failed, N skipped`; the exit code is 1
// when anything failed or nothing ran.
import { readdirSync, statSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, relative } from "node:path";
import process from "node:process";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { packProgram } from "./support/packed-program.ts";
import { sharedProcesses } from "./support/shared-processes.ts";

const TEST_TIMEOUT_MS = 15 * 60 * 1000;
// Files shorter than this are not worth a line of the table of times.
const SLOW_FILE_MS = 5_000;

function testFiles(path: string): string[] {
  if (statSync(path).isFile()) return [path];
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".test.ts"))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** Every cluster, server and command of the tests is a process of the packed program. */
async function packed(): Promise<void> {
  try {
    process.env.DOLIUM_TEST_PROGRAM ??= await packProgram(join(root, "node_modules/.cache"));
  } catch (error) {
    process.stdout.write(`The tests run the sources, which are not packed: ${String(error)}\n`);
  }
}

const root = join(import.meta.dirname, "..");
// Every file is a process, and most of them load the same code: it is compiled once.
process.env.NODE_COMPILE_CACHE ??= join(root, "node_modules/.cache/tests");
await packed();
const wanted = process.argv.slice(2);
const paths = wanted.length > 0 ? wanted : [join(root, "test")];
const files = paths.flatMap(testFiles);
// A file alone is run as it is, the better to be looked into.
const started =
  files.length === 1
    ? files
    : sharedProcesses(files, {
        tests: join(root, "test"),
        folder: join(root, "node_modules/.cache/tests-together"),
      });

const together = new Set(started.filter((file) => !files.includes(file)));
// Tests wait for disks, timers and each other: one more at a time than there are processors.
const LANES_MAX = 4;
const counts = { passed: 0, failed: 0, skipped: 0 };
/** Milliseconds by file; of those that share a process, what their tests took. */
const slow = new Map<string, number>();
const add = (file: string, ms: number): void => {
  slow.set(file, (slow.get(file) ?? 0) + ms);
};
const stream = run({
  files: started,
  concurrency: Math.min(LANES_MAX, availableParallelism() + 1),
  timeout: TEST_TIMEOUT_MS,
  execArgv: ["--import", join(import.meta.dirname, "support/fewer-hooks.ts")],
  cwd: root,
});
stream.on("test:summary", (summary) => {
  if (summary.file !== undefined) {
    if (!together.has(summary.file)) add(summary.file, summary.duration_ms);
    return;
  }
  const { tests, passed, skipped, todo } = summary.counts;
  counts.passed = passed;
  counts.skipped = skipped + todo;
  counts.failed = tests - passed - counts.skipped;
});
for (const outcome of ["test:pass", "test:fail"] as const) {
  stream.on(outcome, ({ nesting, file, details }) => {
    if (nesting > 0 || file === undefined || files.length === 1) return;
    if (!started.includes(file)) add(file, details.duration_ms);
  });
}
// A file whose process died reports no test of its own: how it died is all there is.
stream.on("test:fail", ({ name, details: { error } }) => {
  const { exitCode, signal } = error as Error & { exitCode?: unknown; signal?: unknown };
  if (exitCode === undefined && signal === undefined) return;
  process.stdout.write(`${name}: exit code ${String(exitCode)}, signal ${String(signal)}\n`);
});
stream.on("end", () => {
  process.once("beforeExit", () => {
    for (const [file, ms] of [...slow].sort(([, a], [, b]) => b - a)) {
      if (ms < SLOW_FILE_MS) break;
      const seconds = (ms / 1000).toFixed(1).padStart(7);
      process.stdout.write(`${seconds} s  ${relative(root, file)}\n`);
    }
    process.stdout.write(
      `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`,
    );
  });
  process.exitCode = counts.failed > 0 || counts.passed === 0 ? 1 : 0;
});
stream.compose(spec).pipe(process.stdout);
