// What is measured: a floor, one process or a local cluster, each started here over a folder of its
// own and gone at the end, or an S3 endpoint that runs already.
import { fork } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { LocalCluster } from "../../test/support/local-cluster.ts";
import type { Endpoint } from "../load/job.ts";
import { BenchError } from "./bench-error.ts";

export interface Target {
  readonly endpoint: Endpoint;
  /** Processor time that its processes have used; undefined where they run elsewhere. */
  cpuMs(): number | undefined;
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
  return startOwn(root, ["server", ...disks]);
}

/** `dolium dev`: gateways, metadata replicas, storage nodes and a keeper, with 4+2 coding. */
export async function startCluster(folder: string): Promise<Target> {
  return startOwn(mkdtempSync(join(folder, "dolium-bench-")), ["dev"]);
}

async function startOwn(root: string, args: readonly string[]): Promise<Target> {
  const remove = (): void => rmSync(root, { recursive: true, force: true });
  try {
    const cluster = await LocalCluster.start({ args, dataDir: root });
    const { accessKeyId, secretAccessKey, region } = cluster.ready;
    const [url = ""] = cluster.endpoints;
    return {
      endpoint: { url, region, accessKeyId, secretAccessKey },
      cpuMs: () => cpuMsOf(cluster.processes().map(({ pid }) => pid)),
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
  return { endpoint, cpuMs: () => undefined, stop: async () => undefined };
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

/** What follows the name of the program, which may contain anything. */
function statOf(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    return text.slice(text.lastIndexOf(")") + 2);
  } catch {
    return undefined;
  }
}
