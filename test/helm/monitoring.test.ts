// What the chart has Prometheus scrape carries the labels by which rules and dashboards select, as
// the configuration for clusters on machines does: jobs of the same names, labels of the metrics
// kept, and who each process is.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test as declare } from "node:test";
import { parse } from "yaml";
import { targetsOf } from "../../services/gateway/admin/watch/prometheus-targets.ts";
import { DEPLOY, RULE_FILES } from "../monitoring/rule-file.ts";
import { sampleReport } from "../unit/clients/sample-report.ts";
import { at, isMap, listAt, manifests, ofKind, withoutHelm } from "./chart.ts";

const METRICS = { serviceMonitor: { enabled: true } };

interface Scraped {
  readonly path: string;
  readonly job: string;
  readonly keepsLabels: boolean;
  readonly labels: readonly string[];
}

function test(name: string, run: () => void): void {
  declare(name, { skip: withoutHelm }, run);
}

/** What the chart's monitor scrapes. */
function ofChart(mode: string): Scraped[] {
  const [monitor] = ofKind(manifests({ values: { mode, metrics: METRICS } }), "PodMonitor");
  return listAt(monitor, "spec", "podMetricsEndpoints").map((endpoint) => {
    const relabelings = listAt(endpoint, "relabelings");
    const job = relabelings.find((one) => at(one, "targetLabel") === "job");
    return {
      path: String(at(endpoint, "path")),
      job: String(at(job, "replacement")),
      keepsLabels: at(endpoint, "honorLabels") === true,
      labels: relabelings.map((one) => String(at(one, "targetLabel"))),
    };
  });
}

/** What the configuration for machines scrapes. */
function ofMachines(): Scraped[] {
  const config: unknown = parse(readFileSync(join(DEPLOY, "prometheus/prometheus.yaml"), "utf8"));
  const report = sampleReport();
  const replicas = report.replicas.map((replica) => ({
    ...replica,
    ...(replica.status === undefined
      ? {}
      : { status: { ...replica.status, opsAddress: `${replica.address}9003` } }),
  }));
  const [target] = targetsOf({ ...report, replicas });
  assert.ok(target !== undefined);
  return listAt(config, "scrape_configs").map((job) => ({
    path: String(at(job, "metrics_path") ?? "/metrics"),
    job: String(at(job, "job_name")),
    keepsLabels: at(job, "honor_labels") === true,
    labels: Object.keys(target.labels),
  }));
}

/** Every rule and every dashboard, as text. */
function expressions(): string {
  const grafana = join(DEPLOY, "grafana");
  const boards = readdirSync(grafana).filter((name) => name.endsWith(".json"));
  const paths = [...RULE_FILES, ...boards.map((name) => join(grafana, name))];
  return paths.map((path) => readFileSync(path, "utf8")).join("\n");
}

for (const mode of ["standalone", "cluster", "split"]) {
  test(`mode ${mode}: jobs, labels and who is right are as on machines`, () => {
    const machines = ofMachines();
    const scraped = ofChart(mode);
    assert.ok(scraped.some(({ path }) => path === "/metrics/buckets"));
    for (const endpoint of scraped) {
      const same = machines.find(({ path }) => path === endpoint.path);
      assert.ok(same !== undefined, endpoint.path);
      assert.equal(endpoint.job, same.job);
      assert.equal(endpoint.keepsLabels, same.keepsLabels, "labels of the metrics go before");
      for (const label of same.labels) assert.ok(endpoint.labels.includes(label), label);
    }
  });
}

test("jobs that rules and dashboards select are those that are scraped", () => {
  const text = expressions();
  const selected = [...text.matchAll(/\bjob=(~?)\\?"([^"\\]+)\\?"/g)];
  assert.ok(selected.length > 0);
  for (const [all, isPattern, name = ""] of selected) {
    const fits = (job: string): boolean =>
      isPattern === "~" ? new RegExp(`^(?:${name})$`).test(job) : job === name;
    for (const { job } of ofChart("cluster")) assert.ok(fits(job), `${all} leaves ${job} out`);
  }
});

test("what rules join and sum by comes with every target, or with the metric", () => {
  const always = ["job", "instance", "cluster", "campus", "node", "role"];
  const given = new Set(["instance", ...ofChart("split").flatMap(({ labels }) => labels)]);
  for (const label of always) assert.ok(given.has(label), label);
});

test("hosts may be wildcards, for buckets in host names", () => {
  const hosts = ["s3.example.org", "*.s3.example.org"];
  const all = manifests({
    values: {
      ingress: { enabled: true, hosts },
      gatewayApi: { parentRefs: [{ name: "g" }], hostnames: hosts, httpRoute: { enabled: true } },
    },
  });
  const [ingress] = ofKind(all, "Ingress");
  assert.deepEqual(
    listAt(ingress, "spec", "rules").map((rule) => at(rule, "host")),
    hosts,
  );
  const [route] = ofKind(all, "HTTPRoute");
  assert.ok(isMap(route));
  assert.deepEqual(at(route, "spec", "hostnames"), hosts);
});
