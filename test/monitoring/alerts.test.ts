// Every alert fires when it should and keeps quiet when it should not, by promtool; each has a
// severity, words and a runbook. Skips where there is no promtool (Debian: prometheus).
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { COMMAND_TABLE, isGroup } from "../../services/cli/command-table.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { ALERT_CASES, type AlertCase, type Series } from "./alert-cases.ts";
import { hasPrograms } from "./programs.ts";
import { RULE_FILES, rulesOf } from "./rule-file.ts";

const ROOT = join(import.meta.dirname, "../..");
const ALERTS = RULE_FILES.flatMap(rulesOf).filter(({ kind }) => kind === "alert");

test("every alert is tried, and has a severity, words and a runbook", () => {
  const tried = new Set(ALERT_CASES.map(({ alert, severity }) => `${alert} ${severity}`));
  for (const { name, text } of ALERTS) {
    const severity = /severity: (critical|warning)$/m.exec(text)?.[1];
    assert.ok(tried.has(`${name} ${severity}`), `${name} ${severity} is not tried`);
    assert.match(text, /\n {8}for: \d+[mh]\n/, name);
    assert.match(text, /summary: \S/, name);
    assert.match(text, /description: "\S/, name);
    const runbook = /runbook_url: (\S+)/.exec(text)?.[1] ?? "";
    assert.equal(runbook, `docs/runbooks/${name}.md`);
    assert.ok(existsSync(join(ROOT, runbook)), `${runbook} is missing`);
    const page = readFileSync(join(ROOT, runbook), "utf8");
    for (const heading of ["## What it means", "## First look", "## Cure"]) {
      assert.ok(page.includes(heading), `${runbook}: ${heading}`);
    }
    assert.match(page, /dolium [a-z]/, `${runbook} names no command`);
  }
});

test("the commands that runbooks name are there", async () => {
  const known = new Set<string>();
  for (const { name, load } of COMMAND_TABLE) {
    const entry = await load();
    for (const one of isGroup(entry) ? entry.verbs : [{ name }]) known.add(one.name);
  }
  for (const { name } of ALERTS) {
    const page = readFileSync(join(ROOT, `docs/runbooks/${name}.md`), "utf8");
    for (const [, first = "", second = ""] of page.matchAll(
      /(?:^|`)dolium ([a-z]+)(?: ([a-z-]+))?/gm,
    )) {
      const isThere = known.has(`${first} ${second}`) || known.has(first);
      assert.ok(isThere, `${name}: dolium ${first} ${second}`);
    }
  }
});

test("alerts fire when they should, and only then", { skip: !hasPrograms("promtool") }, (t) => {
  const folder = temporaryFolder("dolium-alerts-");
  t.after(() => folder.remove());
  const file = join(folder.path, "test.json");
  const tests = ALERT_CASES.flatMap((one) => [
    caseOf(one, one.fires, true),
    caseOf(one, one.quiet, false),
  ]);
  writeFileSync(file, JSON.stringify({ rule_files: RULE_FILES, evaluation_interval: "5m", tests }));
  execFileSync("promtool", ["test", "rules", file], { encoding: "utf8" });
});

function caseOf({ alert, severity, at }: AlertCase, series: Series, fires: boolean) {
  const firing = `ALERTS{alertname="${alert}",severity="${severity}",alertstate="firing"}`;
  return {
    name: `${alert} ${severity} ${fires ? "fires" : "is quiet"}`,
    interval: "1m",
    input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
    promql_expr_test: [
      {
        expr: `(sum(${firing}) > bool 0) or vector(0)`,
        eval_time: at,
        exp_samples: [{ labels: "{}", value: fires ? 1 : 0 }],
      },
    ],
  };
}
