// What is measured: a floor, one process or a local cluster, each started here over a folder of its
// own and gone at the end, or an S3 endpoint that runs already.
import { fork } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { FreePorts } from "../../services/cli/dev/free-ports.ts";
import { eventually } from "../../test/support/eventually.ts";
import { LocalCluster } from "../../test/support/local-cluster.ts";
import { readStatus } from "../../test/support/status.ts";
import type { Endpoint } from "../load/job.ts";
import { BenchError } from "./bench-error.ts";

export interface Target {
  readonly endpoint: Endpoint;
  /** Processor time that its processes have used; undefined where they run elsewhere. */
  cpuMs(): number | undefined;
  /** Memory that its processes hold; undefined where they run elsewhere. */
  residentBytes(): number | undefined;
  /**
   * How late its event loop was at the 99th percentile, since it was asked last; undefined but for
   * one process that was started here.
   */
  lagP99Ms(): Promise<number | undefined>;
  /**
   * Two storage nodes stand still, and the cluster knows it; until what comes back is called and
   * has resolved. Only a local cluster has it.
   */
  readonly degrade?: () => Promise<() => Promise<void>>;
  stop(): Promise<void>;
}

const FLOOR_PROGRAM = join(import.meta.dirname, "../floor/floor-server.ts");
/** Processor time in /proc is counted in ticks of 10 ms, on every Linux that Node runs on. */
const TICK_MS = 10;
const FLOOR_KEYS = { region: "us-east-1", accessKeyId: "floor", secretAccessKey: "floor" };

/** `folder`: where bodies go; on the file system that the store is measured on. */
export async function startFloor(folder: string): Promise<Target> {
  const child = fork(FLOOR_PROGRAM, [folder], { stdio: ["ignore", "ignore", "inherit", "ipc"] });
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  child.once("message", (port) => resolve(Number(port)));
  const exited = new Promise<void>((gone) => child.once("exit", () => gone()));
  child.once("exit", () => reject(new BenchError("the floor's server ended")));
  const port = await promise;
  return {
    endpoint: { ...FLOOR_KEYS, url: `http://127.0.0.1:${port}` },
    cpuMs: () => cpuMsOf([child.pid ?? 0]),
    residentBytes: () => residentBytesOf([child.pid ?? 0]),
    lagP99Ms: async () => undefined,
    stop: async () => {
      child.kill("SIGTERM");
      await exited;
    },
  };
}

/** `dolium server` over `directories` folders. */
export async function startServer(folder: string, directories: number): Promise<Target> {
  const root = mkdtempSync(join(folder, "dolium-bench-"));
  const disks = Array.from({ length: directories }, (_, at) => join(root, `disk-${at + 1}`));
  const ports = new FreePorts();
  const opsPort = await ports.take();
  await ports.close();
  return startOwn(root, ["server", ...disks], opsPort);
}

/** `dolium dev`: gateways, metadata replicas, storage nodes and a keeper, with 4+2 coding. */
export async function startCluster(folder: string): Promise<Target> {
  return startOwn(mkdtempSync(join(folder, "dolium-bench-")), ["dev"]);
}

async function startOwn(root: string, args: readonly string[], opsPort = 0): Promise<Target> {
  const environment = opsPort === 0 ? {} : { DOLIUM_OPS__PORT: String(opsPort) };
  const remove = (): void => rmSync(root, { recursive: true, force: true });
  try {
    const cluster = await LocalCluster.start({ args, dataDir: root, environment });
    const { accessKeyId, secretAccessKey, region } = cluster.ready;
    const [url = ""] = cluster.endpoints;
    return {
      endpoint: { url, region, accessKeyId, secretAccessKey },
      cpuMs: () => cpuMsOf(cluster.processes().map(({ pid }) => pid)),
      residentBytes: () => residentBytesOf(cluster.processes().map(({ pid }) => pid)),
      lagP99Ms: async () => (opsPort === 0 ? undefined : lagP99MsOf(opsPort)),
      ...(args[0] === "dev" ? { degrade: () => degrade(cluster) } : {}),
      stop: async () => {
        await cluster.stop();
        remove();
      },
    };
  } catch (error) {
    remove();
    throw error;
  }
}

/** As many as 4+2 coding survives. */
const STILL_NODES = 2;
const STATE_PATIENCE_MS = 180_000;

async function degrade(cluster: LocalCluster): Promise<() => Promise<void>> {
  const still = cluster.processes("storage").slice(0, STILL_NODES);
  const names = new Set(still.map(({ name }) => name));
  const untilAll = (what: string, isSo: (state: string) => boolean): Promise<boolean> =>
    eventually(`storage nodes are ${what}`, STATE_PATIENCE_MS, async () => {
      const { nodes } = await readStatus(cluster);
      const states = nodes.filter(({ name }) => names.has(name)).map(({ state }) => state);
      return states.length === names.size && states.every(isSo) ? true : undefined;
    });
  const restore = async (): Promise<void> => {
    for (const { pid } of still) process.kill(pid, "SIGCONT");
    await untilAll("up", (state) => state === "up");
  };
  for (const { pid } of still) process.kill(pid, "SIGSTOP");
  try {
    await untilAll("missed", (state) => state !== "up");
  } catch (error) {
    await restore();
    throw error;
  }
  return restore;
}

/** A store that runs, with the keys of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. */
export function namedEndpoint(url: string): Target {
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_DEFAULT_REGION } = process.env;
  if (AWS_ACCESS_KEY_ID === undefined || AWS_SECRET_ACCESS_KEY === undefined) {
    throw new BenchError("--endpoint needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
  }
  if (!URL.canParse(url) || !/^https?:/.test(url)) {
    throw new BenchError("--endpoint must be the URL of an S3 server");
  }
  const endpoint = {
    url: new URL(url).origin,
    region: AWS_REGION ?? AWS_DEFAULT_REGION ?? "us-east-1",
    accessKeyId: AWS_ACCESS_KEY_ID,
    secretAccessKey: AWS_SECRET_ACCESS_KEY,
  };
  const nothing = { cpuMs: () => undefined, residentBytes: () => undefined };
  return { endpoint, ...nothing, lagP99Ms: async () => undefined, stop: async () => undefined };
}

/** Source: proc(5), /proc/pid/stat, fields 14 and 15. Undefined on other systems. */
function cpuMsOf(pids: readonly number[]): number | undefined {
  let ticks = 0;
  for (const pid of pids) {
    const fields = statOf(pid)?.split(" ");
    if (fields === undefined) return undefined;
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks * TICK_MS;
}

/** Source: proc(5), /proc/pid/status, VmRSS. Undefined on other systems. */
function residentBytesOf(pids: readonly number[]): number | undefined {
  let bytes = 0;
  for (const pid of pids) {
    const kib = /^VmRSS:\s+(\d+) kB$/m.exec(textOf(`/proc/${pid}/status`) ?? "")?.[1];
    if (kib === undefined) return undefined;
    bytes += Number(kib) * 1024;
  }
  return bytes;
}

/** Each look at the metrics begins a new measurement. */
async function lagP99MsOf(opsPort: number): Promise<number | undefined> {
  const response = await fetch(`http://127.0.0.1:${opsPort}/metrics`);
  const line = /^nodejs_eventloop_lag_p99_seconds(?:\{[^}]*\})? (\S+)$/m;
  const seconds = line.exec(await response.text())?.[1];
  return seconds === undefined ? undefined : Number(seconds) * 1000;
}

/** What follows the name of the program, which may contain anything. */
function statOf(pid: number): string | undefined {
  const text = textOf(`/proc/${pid}/stat`);
  return text?.slice(text.lastIndexOf(")") + 2);
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
