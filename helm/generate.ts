// Writes what the chart has from elsewhere: values.schema.json from the servers' own schemas, the
// table in its README, and copies of the Prometheus rules and Grafana dashboards, since Helm reads
// nothing outside a chart. `--check` only compares, and fails where something is out of date.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { VALUES_SCHEMA } from "./values-schema.ts";
import { valuesTable } from "./values-table.ts";

const CHART = join(import.meta.dirname, "dolium");
const DEPLOY = join(import.meta.dirname, "../deploy");
const COPIES = [
  { from: "prometheus", ending: ".yaml", names: ["recording.yaml", "alerts.yaml"] },
  { from: "grafana", ending: ".json", names: undefined },
] as const;
const BEGIN = "<!-- values: generated from values.yaml -->";
const END = "<!-- end of values -->";

/** Path below the chart to content, of everything that is generated. */
export function generatedFiles(): Map<string, string> {
  const files = new Map<string, string>();
  files.set("values.schema.json", `${JSON.stringify(VALUES_SCHEMA, null, 1)}\n`);
  files.set("README.md", readme());
  for (const { from, ending, names } of COPIES) {
    const folder = join(DEPLOY, from);
    const there = existsSync(folder) ? readdirSync(folder).sort() : [];
    const wanted = there.filter((name) =>
      names === undefined ? name.endsWith(ending) : names.some((one) => one === name),
    );
    for (const name of wanted) {
      files.set(`files/${from}/${name}`, readFileSync(join(folder, name), "utf8"));
    }
  }
  return files;
}

/** Files below the chart that would be written, changed or removed. */
export function outdatedFiles(): string[] {
  const wanted = generatedFiles();
  const stale = copiesThere().filter((path) => !wanted.has(path));
  const changed = [...wanted].filter(([path, content]) => current(path) !== content);
  return [...changed.map(([path]) => path), ...stale].sort();
}

function copiesThere(): string[] {
  return COPIES.flatMap(({ from }) => {
    const folder = join(CHART, "files", from);
    return existsSync(folder) ? readdirSync(folder).map((name) => `files/${from}/${name}`) : [];
  });
}

function current(path: string): string | undefined {
  const full = join(CHART, path);
  return existsSync(full) ? readFileSync(full, "utf8") : undefined;
}

function readme(): string {
  const text = readFileSync(join(CHART, "README.md"), "utf8");
  const begin = text.indexOf(BEGIN);
  const end = text.indexOf(END);
  if (begin < 0 || end < begin) throw new Error("the chart's README has no place for the values");
  const table = valuesTable(readFileSync(join(CHART, "values.yaml"), "utf8"));
  return `${text.slice(0, begin)}${BEGIN}\n\n${table}\n\n${text.slice(end)}`;
}

function write(): void {
  for (const path of outdatedFiles()) {
    const content = generatedFiles().get(path);
    const full = join(CHART, path);
    if (content === undefined) {
      rmSync(full);
      continue;
    }
    mkdirSync(dirname(full), { recursive: true });
    writeFileSync(full, content);
  }
}

if (import.meta.main) {
  const outdated = outdatedFiles();
  if (!process.argv.includes("--check")) write();
  else if (outdated.length > 0) {
    process.stderr.write(`out of date, run node helm/generate.ts: ${outdated.join(", ")}\n`);
    process.exitCode = 1;
  }
}
