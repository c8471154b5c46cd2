// The client matrix: `node test/clients/matrix.ts` runs every test of this folder, one file after
// another, and writes what each client did into docs/client-matrix.md. DOLIUM_CLIENT_RESULTS names
// a file that keeps the results; file names as arguments then run only these again.
import { execFile } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { ClientOutcome } from "./row-test.ts";
import { allRows, type Row, type RowName } from "./rows.ts";

export const PAGE = join(import.meta.dirname, "../../docs/client-matrix.md");

const HEAD = `# Client matrix

Made by \`make client-matrix\`: every line of what users of five systems do (A Pithos, B CloudStack, C Alluxio, D OSiRIS, E Ozone), the
client that did it here with the version it names, and what came of it. \`test/clients\` holds the tests; a row without a client names the
tests that hold it, or why it waits. "replayed": the client is not to be had here; its requests were sent in its place, header by header,
with real signatures.

| row | what users do | client | outcome | where |
| --- | --- | --- | --- | --- |
`;

/** Outcomes of one client under one row: the worst of them counts. */
function worst(outcomes: readonly ClientOutcome[]): string {
  const found = new Set(outcomes.map((one) => one.outcome));
  if (found.has("failed")) return "failed";
  if (found.has("skipped")) return "not installed";
  return found.has("replayed") ? "replayed" : "passed";
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}

function line(name: RowName, row: Row, results: readonly ClientOutcome[]): string {
  const mine = results.filter((one) => one.rows.includes(name));
  const calls = (one: ClientOutcome): string => `${one.client} ${one.version}`.trim();
  const called = unique(mine.map(calls)).sort();
  const outcomes = called.map((client) => worst(mine.filter((one) => calls(one) === client)));
  const files = unique(mine.map((one) => `test/clients/${one.file}`)).sort();
  const where = [...files, ...(row.tests ?? [])].map((path) => `\`${path}\``);
  const outcome = [...outcomes, ...(row.waits === undefined ? [] : [`waits: ${row.waits}`])];
  const cells = [called.join("<br>"), outcome.join("<br>"), where.join("<br>")];
  return `| ${name} | ${row.what} | ${cells.join(" | ")} |\n`;
}

export function matrixPage(results: readonly ClientOutcome[]): string {
  return (
    HEAD +
    allRows()
      .map(([name, row]) => line(name, row, results))
      .join("")
  );
}

async function runFile(path: string, results: string): Promise<void> {
  const environment = { ...process.env, DOLIUM_CLIENT_RESULTS: results };
  await new Promise<void>((resolve) => {
    execFile(process.execPath, ["--test", path], { env: environment }, (error, stdout) => {
      process.stdout.write(`${path}: ${error === null ? "ok" : stdout}\n`);
      resolve();
    });
  });
}

/** Our own lines, one JSON object each. */
function readResults(path: string): ClientOutcome[] {
  return readFileSync(path, "utf8")
    .split("\n")
    .filter((text) => text !== "")
    .map((text) => JSON.parse(text) as ClientOutcome);
}

/** With a file of earlier results only `names` run again; without one, all run. */
async function main(names: readonly string[]): Promise<void> {
  const kept = process.env.DOLIUM_CLIENT_RESULTS;
  const folder = mkdtempSync(join(tmpdir(), "dolium-matrix-"));
  const path = kept ?? join(folder, "results");
  const again = kept !== undefined && existsSync(kept) && names.length > 0;
  const earlier = again ? readResults(kept).filter((one) => !names.includes(one.file)) : [];
  writeFileSync(path, earlier.map((one) => `${JSON.stringify(one)}\n`).join(""));
  const all = readdirSync(import.meta.dirname)
    .filter((name) => name.endsWith(".test.ts"))
    .filter((name) => readFileSync(join(import.meta.dirname, name), "utf8").includes("rowTest("));
  const files = again ? names : all.sort();
  for (const file of files) await runFile(join(import.meta.dirname, file), path);
  const results = readResults(path);
  rmSync(folder, { recursive: true });
  mkdirSync(join(PAGE, ".."), { recursive: true });
  writeFileSync(PAGE, matrixPage(results));
  process.exitCode = results.some((one) => one.outcome === "failed") ? 1 : 0;
}

if (import.meta.main) await main(process.argv.slice(2));
