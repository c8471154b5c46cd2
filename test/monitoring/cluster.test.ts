// A cluster of processes under load, watched: every metric moves with the act that should move it,
// and a real Prometheus (where there is one) finds every process, evaluates every rule, and has
// data for every query of the dashboards.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { DASHBOARDS } from "../../deploy/grafana/dashboards.ts";
import { grafanaQuery } from "../../deploy/grafana/generate.ts";
import { eventually } from "../support/eventually.ts";
import { LocalCluster } from "../support/local-cluster.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { ClusterActs } from "./cluster-acts.ts";
import { type Act, METRICS_BY_ACT } from "./metric-acts.ts";
import { hasPrograms } from "./programs.ts";
import { startPrometheus } from "./prometheus-server.ts";
import { RULE_FILES, rulesOf } from "./rule-file.ts";
import { scrape } from "./scrape.ts";

/** One gateway, three replicas, three storage nodes, a keeper. */
const PROCESSES = 8;
const PATIENCE_MS = 240_000;
/** Between rounds of traffic: half an interval of Prometheus here. */
const ROUND_MS = 1000;
let cluster: LocalCluster;
let acts: ClusterActs;
let token: string;

interface Group {
  readonly targets: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

async function targets(): Promise<readonly Group[]> {
  const url = `${cluster.ready.adminUrl}/api/v1/prometheus/targets`;
  const response = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
  assert.equal(response.status, 200);
  assert.match(response.headers.get("content-type") ?? "", /^application\/json/);
  return (await response.json()) as readonly Group[];
}

function addresses(): Promise<readonly string[]> {
  return eventually("the processes are listed", PATIENCE_MS, async () => {
    const found = (await targets()).flatMap((group) => group.targets);
    return found.length >= PROCESSES - 1 ? found : undefined;
  });
}

before(async () => {
  cluster = await LocalCluster.start({
    args: ["dev", "--gateways", "1", "--metadata", "3", "--storage", "3", "--no-restart"],
    environment: {
      DOLIUM_IDENTITY__TOKENS: "true",
      // Longer than it takes until a gateway has looked at what waits.
      DOLIUM_KEEPER__GARBAGE_DELAY_MS: "20000",
      DOLIUM_STORAGE__SCRUB_PASS_MS_MIN: "1000",
    },
  });
  acts = new ClusterActs(cluster);
  await acts.prepare();
  token = await acts.token("prometheus_ops");
});

after(async () => {
  await cluster?.stop();
});

test("service discovery lists every process with campus, node and role", async () => {
  const groups = await eventually("every process is listed", PATIENCE_MS, async () => {
    const found = await targets();
    return found.length === PROCESSES ? found : undefined;
  });
  const roles = groups.map(({ labels }) => labels.role);
  const count = (role: string): number => roles.filter((one) => one === role).length;
  assert.deepEqual(
    ["gateway", "metadata", "storage", "keeper"].map(count),
    [1, 3, 3, 1],
    JSON.stringify(groups),
  );
  for (const { labels } of groups) {
    assert.equal(labels.campus, "main");
    assert.ok(labels.node !== "" && labels.cluster !== "");
  }
  const refused = await fetch(`${cluster.ready.adminUrl}/api/v1/prometheus/targets`);
  assert.equal(refused.status, 401);
});

test("a real Prometheus has data for every query, and evaluates every rule", {
  skip: hasPrograms("prometheus") ? false : "no Prometheus on this machine",
}, async (t) => {
  const folder = temporaryFolder("dolium-prometheus-");
  t.after(() => folder.remove());
  const adminUrl = cluster.ready.adminUrl ?? "";
  const prometheus = await startPrometheus({ folder: folder.path, adminUrl, token });
  t.after(() => prometheus.stop());
  await acts.perform("quota");
  await acts.perform("delete");
  const empty = new Map<string, string>();
  for (const { title, panels } of DASHBOARDS) {
    for (const { title: panel, queries } of panels) {
      for (const { expr, isRare } of queries) {
        const query = grafanaQuery(expr)
          .replaceAll(/=~"\$[a-z]+"/g, '=~".*"')
          .replaceAll("$__rate_interval", "30s");
        // Whatever it finds, Prometheus understands it.
        await prometheus.query(query);
        if (isRare !== true) empty.set(query, `${title}: ${panel}`);
      }
    }
  }
  await eventually("every query has data", PATIENCE_MS, async () => {
    // Rates are of several scrapes: the load is light.
    await setTimeout(ROUND_MS);
    await acts.traffic();
    await acts.refusal();
    for (const query of empty.keys()) {
      const samples = await prometheus.query(query);
      const isThere = samples.some(({ value }) => Number.isFinite(Number(value[1])));
      if (isThere) empty.delete(query);
    }
    if (empty.size === 0) return true;
    const lacking = [...empty].map(([query, at]) => `${at}: ${query}`);
    throw new Error(`no data: ${lacking.join("\n")}\n${await prometheus.problems()}`);
  });
  const expected = RULE_FILES.flatMap(rulesOf).length;
  await eventually("every rule is evaluated", PATIENCE_MS, async () => {
    const rules = await prometheus.rules();
    assert.equal(rules.length, expected);
    for (const { name, health, lastError } of rules) {
      assert.notEqual(health, "err", `${name}: ${lastError}`);
    }
    return rules.every(({ health }) => health === "ok") ? true : undefined;
  });
  // Others a busy machine may bring about.
  const calm = "ScrubOverdue|QuotaNearFull|CertificateExpires|ShardCorruption|DiskErrors";
  const alarms = await prometheus.query(`ALERTS{alertname=~"${calm}"}`);
  assert.deepEqual(alarms, [], "nothing of the kind is wrong");
});

// One after another: each changes the cluster for those behind it.
for (const [act, metrics] of Object.entries(METRICS_BY_ACT)) {
  test(`${act} moves ${metrics.length} metrics`, async () => {
    await moves(act as Act, metrics);
  });
}

async function moves(act: Act, metrics: readonly string[]): Promise<void> {
  const processes = await addresses();
  const former = await scrape(processes);
  await acts.perform(act);
  const still = new Set(metrics);
  const alive = act === "node-lost" ? await answering(processes) : processes;
  await eventually(`${act} moves its metrics`, PATIENCE_MS, async () => {
    const now = await scrape(alive);
    for (const metric of still) {
      const { sum } = now.figures(metric);
      // What is there from the start need only be more than nothing.
      const before = act === "running" ? 0 : former.figures(metric).sum;
      if (sum !== before) still.delete(metric);
    }
    if (still.size === 0) return true;
    throw new Error(`not moved: ${[...still].join(" ")}`);
  });
}

async function answering(processes: readonly string[]): Promise<readonly string[]> {
  const found = await Promise.allSettled(
    processes.map(async (address) => {
      await fetch(`http://${address}/healthz`);
      return address;
    }),
  );
  return found.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
}
