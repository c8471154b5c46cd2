// The quality report: `node test/report.ts [SUMMARY]` (`make report`) writes docs/quality.md from
// what is in the tree: tests by area, actions, rows of clients, fuzzers, golden records. SUMMARY is
// the last line of a full run, `N passed, N failed, N skipped`; without it the former one stays.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { OPERATIONS } from "../services/gateway/operations.ts";
import { TARGETS } from "./fuzz/targets.ts";

const ROOT = join(import.meta.dirname, "..");
export const QUALITY_PAGE = join(ROOT, "docs/quality.md");
const SUMMARY = /^\d+ passed, \d+ failed, \d+ skipped$/;
const DECLARATION = /^\s*(?:test|rowTest)\(/gm;

export interface AreaCount {
  readonly area: string;
  readonly files: number;
  /** As they are written; those in loops run more than once. */
  readonly tests: number;
}

export interface QualityFacts {
  readonly summary: string;
  readonly areas: readonly AreaCount[];
  readonly actions: number;
  /** Rows of the client matrix by outcome. */
  readonly rows: ReadonlyMap<string, number>;
  readonly fuzzers: readonly string[];
  readonly goldenRecords: number;
}

export function qualityPage(facts: QualityFacts): string {
  const { summary, areas, actions, rows, fuzzers, goldenRecords } = facts;
  const sum = (of: (area: AreaCount) => number): number =>
    areas.reduce((total, area) => total + of(area), 0);
  const lines = [
    "# Quality report",
    "",
    "Made by `make report` from the tree; the first line is that of the last full run of `make test` that was reported.",
    "",
    `- Full run: ${summary}`,
    `- Actions of S3: ${actions}, listed in \`services/gateway/SUPPORTED-ACTIONS.md\``,
    `- Rows of the [client matrix](client-matrix.md): ${[...rows].map(([name, count]) => `${count} ${name}`).join(", ")}`,
    `- Fuzzers: ${fuzzers.join(", ")} (\`make fuzz\`)`,
    `- Golden records of stored formats: ${goldenRecords}`,
    "",
    "| tests | files | written (loops run more) |",
    "| --- | --- | --- |",
    ...areas.map(({ area, files, tests }) => `| \`test/${area}\` | ${files} | ${tests} |`),
    `| all | ${sum(({ files }) => files)} | ${sum(({ tests }) => tests)} |`,
    "",
  ];
  return lines.join("\n");
}

/** Tests under each folder of test/. */
function countAreas(): AreaCount[] {
  const files = readdirSync(import.meta.dirname, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".test.ts"))
    .sort();
  const areas = [...new Set(files.map(areaOf))];
  return areas.map((area) => {
    const own = files.filter((path) => areaOf(path) === area);
    const texts = own.map((path) => readFileSync(join(import.meta.dirname, path), "utf8"));
    const tests = texts.map((text) => text.match(DECLARATION)?.length ?? 0);
    return { area, files: own.length, tests: tests.reduce((total, count) => total + count, 0) };
  });
}

function areaOf(path: string): string {
  const [first = "", second = ""] = path.split("/");
  return first === "unit" ? `${first}/${second}` : first;
}

/** What came of the rows: by a client, by other tests alone, or in part still waiting. */
export function rowOutcomes(page: string): Map<string, number> {
  const rows = page.split("\n").filter((line) => /^\| [A-E]\d+ \|/.test(line));
  const outcomes = new Map<string, number>();
  for (const row of rows) {
    const outcome = row.split("|")[4] ?? "";
    const name = outcome.includes("waits:")
      ? "with something that waits"
      : /passed|replayed/.test(outcome)
        ? "by clients"
        : "by other tests";
    outcomes.set(name, (outcomes.get(name) ?? 0) + 1);
  }
  return outcomes;
}

function formerSummary(): string {
  const page = existsSync(QUALITY_PAGE) ? readFileSync(QUALITY_PAGE, "utf8") : "";
  return /^- Full run: (.*)$/m.exec(page)?.[1] ?? "not reported yet";
}

function main(given: string | undefined): void {
  if (given !== undefined && !SUMMARY.test(given)) {
    process.stderr.write("usage: report.ts ['N passed, N failed, N skipped']\n");
    process.exitCode = 2;
    return;
  }
  const page = qualityPage({
    summary: given ?? formerSummary(),
    areas: countAreas(),
    actions: OPERATIONS.length,
    rows: rowOutcomes(readFileSync(join(ROOT, "docs/client-matrix.md"), "utf8")),
    fuzzers: TARGETS.map(({ name }) => name),
    goldenRecords: readdirSync(join(ROOT, "test/fixtures/records")).length,
  });
  writeFileSync(QUALITY_PAGE, page);
}

if (import.meta.main) main(process.argv[2]);
