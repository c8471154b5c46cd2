// docs/metrics.md is what a process with every role registers (DOLIUM_UPDATE_DOCS=1 writes it), and
// every metric of the acts, alerts and dashboards is there.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { DASHBOARDS } from "../../deploy/grafana/dashboards.ts";
import { startEmbedded } from "../../services/cli/compose/embedded.ts";
import { FreePorts } from "../../services/cli/dev/free-ports.ts";
import { readConfig } from "../../services/cli/read-config.ts";
import { createLog } from "../../services/lib/host/log.ts";
import type { MetricDescription } from "../../services/lib/host/metrics.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { METRICS_BY_ACT, MOVED_ELSEWHERE } from "./metric-acts.ts";
import { metricsPage } from "./metrics-page.ts";
import { RULE_FILES, rulesOf } from "./rule-file.ts";

const PAGE = join(import.meta.dirname, "../../docs/metrics.md");

/** Of all roles, in one process over a new folder. */
async function registered(folder: string): Promise<readonly MetricDescription[]> {
  const closers: (() => Promise<void>)[] = [];
  const ports = new FreePorts();
  const directory = join(folder, "disk");
  mkdirSync(directory);
  const config = readConfig(undefined);
  try {
    const { instruments } = await startEmbedded({
      config: { ...config, audit: { ...config.audit, file: join(folder, "audit.jsonl") } },
      directories: [directory],
      s3Port: await ports.take(),
      log: createLog({ level: "silent" }),
      onStop: (_name, close) => void closers.push(close),
      fatal: (error) => assert.fail(String(error)),
    });
    const { metrics, bucketMetrics } = instruments;
    return [...metrics.describe(), ...bucketMetrics.describe()];
  } finally {
    for (const close of closers.reverse()) await close();
    await ports.close();
  }
}

test("docs/metrics.md lists every metric, and nothing else is spoken of", async (t) => {
  const folder = temporaryFolder("dolium-metrics-");
  t.after(() => folder.remove());
  const descriptions = await registered(folder.path);
  const page = metricsPage(descriptions);
  if (process.env.DOLIUM_UPDATE_DOCS === "1") writeFileSync(PAGE, page);
  assert.equal(readFileSync(PAGE, "utf8"), page);
  const known = new Set(descriptions.map(({ name }) => name));
  const rules = RULE_FILES.flatMap(rulesOf).map(({ text }) => text);
  const queries = DASHBOARDS.flatMap(({ panels }) => panels.flatMap((panel) => panel.queries));
  const texts = [
    ...rules,
    ...queries.map(({ expr }) => expr),
    ...[...Object.values(METRICS_BY_ACT).flat(), ...Object.keys(MOVED_ELSEWHERE)].map(
      (name) => `dolium_${name}`,
    ),
  ];
  for (const text of texts) {
    for (const [name] of text.matchAll(/\b(?:dolium|nodejs|process)_[a-z0-9_]+/g)) {
      const series = name.replace(/_(bucket|sum|count)$/, "");
      assert.ok(known.has(name) || known.has(series), `${name}: there is no such metric`);
    }
  }
});
