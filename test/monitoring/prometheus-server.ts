// Debian's Prometheus over the files of deploy/prometheus, with short intervals, against a cluster
// of a test. It finds the processes as it would in production: a gateway tells it.
import { type ChildProcess, spawn } from "node:child_process";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { FreePorts } from "../../services/cli/dev/free-ports.ts";
import { eventually } from "../support/eventually.ts";
import { DEPLOY, RULE_FILES } from "./rule-file.ts";

export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

export interface PrometheusServer {
  /** Throws with Prometheus' words when the query is none. */
  query(expr: string): Promise<readonly Sample[]>;
  /** What it could not scrape, and its last words. */
  problems(): Promise<string>;
  /** Rules with their health, of all groups. */
  rules(): Promise<readonly { readonly name: string; health: string; lastError?: string }[]>;
  stop(): Promise<void>;
}

interface ActiveTarget {
  readonly scrapeUrl: string;
  readonly lastError: string;
}

export interface PrometheusOptions {
  readonly folder: string;
  /** Of the admin API: "http://127.0.0.1:9001". */
  readonly adminUrl: string;
  readonly token: string;
}

export async function startPrometheus(options: PrometheusOptions): Promise<PrometheusServer> {
  const { folder, adminUrl, token } = options;
  for (const path of RULE_FILES) copyFileSync(path, join(folder, basename(path)));
  writeFileSync(join(folder, "dolium-token"), token);
  const shipped = readFileSync(join(DEPLOY, "prometheus/prometheus.yaml"), "utf8");
  const config = shipped
    .replaceAll("http://127.0.0.1:9001", adminUrl)
    .replaceAll(/(scrape|refresh)_interval: \d+s/g, "$1_interval: 2s")
    .replaceAll(/evaluation_interval: \d+s/g, "evaluation_interval: 5s");
  writeFileSync(join(folder, "prometheus.yaml"), config);
  const ports = new FreePorts();
  const address = `127.0.0.1:${await ports.take()}`;
  const child = spawn(
    "prometheus",
    [
      `--config.file=${join(folder, "prometheus.yaml")}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      `--web.listen-address=${address}`,
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  let stderr = "";
  child.stderr.on("data", (bytes: Buffer) => {
    stderr = (stderr + bytes.toString()).slice(-10_000);
  });
  const stop = async (): Promise<void> => {
    await stopped(child);
    await ports.close();
  };
  try {
    await eventually("Prometheus is ready", 60_000, async () => {
      if (child.exitCode !== null) throw new Error(`Prometheus ended: ${stderr}`);
      return (await fetch(`http://${address}/-/ready`)).ok ? true : undefined;
    });
  } catch (error) {
    await stop();
    throw new Error(`Prometheus is not ready: ${stderr}`, { cause: error });
  }
  return {
    query: async (expr) => {
      const found = await ask(
        `http://${address}/api/v1/query?${new URLSearchParams({ query: expr })}`,
      );
      return (found as { readonly result: readonly Sample[] }).result;
    },
    problems: async () => {
      const found = await ask(`http://${address}/api/v1/targets`);
      const { activeTargets } = found as { readonly activeTargets: readonly ActiveTarget[] };
      const failing = activeTargets.filter(({ lastError }) => lastError !== "");
      const lines = failing.map(({ scrapeUrl, lastError }) => `${scrapeUrl}: ${lastError}`);
      return [`${activeTargets.length} targets`, ...lines, stderr.slice(-2000)].join("\n");
    },
    rules: async () => {
      const found = await ask(`http://${address}/api/v1/rules`);
      const { groups } = found as {
        readonly groups: readonly { readonly rules: readonly { name: string; health: string }[] }[];
      };
      return groups.flatMap(({ rules }) => rules);
    },
    stop,
  };
}

/** The data of an answer of Prometheus' API, whose shape its documentation says. */
async function ask(url: string): Promise<unknown> {
  const response = await fetch(url);
  const { status, data, error } = (await response.json()) as {
    readonly status: string;
    readonly data?: unknown;
    readonly error?: string;
  };
  if (status !== "success") throw new Error(`${decodeURIComponent(url)}: ${error}`);
  return data;
}

async function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  await gone;
}
