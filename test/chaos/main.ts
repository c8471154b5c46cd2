// `make chaos`: real processes over three campuses, clients, nemeses, checkers. The outer process
// makes a private network, mount and process namespace and runs itself in it: when it ends, however
// it ends, all that was started, mounted and connected is gone. A run that found something keeps
// its directory with history, logs and data.
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { loopbackCampuses, namespaceCampuses } from "./campuses.ts";
import { ChaosCluster } from "./chaos-cluster.ts";
import { clockEnvironment } from "./nemeses/clocks.ts";
import { mountSmallDisk, SMALL_DISK_NODE } from "./nemeses/disks.ts";
import { runRound } from "./round.ts";
import { summary } from "./summary.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "120" },
    seed: { type: "string", default: String(Date.now() % 1_000_000_007) },
    nemeses: { type: "string", default: "" },
    clients: { type: "string", default: "8" },
    pause: { type: "string", default: "20" },
    metadata: { type: "string", default: "5" },
    gateways: { type: "string", default: "3" },
    rtt: { type: "string", default: "0" },
    brisk: { type: "boolean", default: false },
    lasts: { type: "string", default: "" },
    loopback: { type: "boolean", default: false },
    keep: { type: "boolean", default: false },
    inside: { type: "string" },
  },
});

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** "3000..5000" */
function range(text: string): readonly [number, number] {
  const [least = Number.NaN, most = least] = text.split("..").map(Number);
  if (!(least >= 0 && most >= least)) throw new Error(`--lasts ${text}: not MS or MS..MS`);
  return [least, most];
}

async function run(dataDir: string): Promise<number> {
  const seed = Number(values.seed);
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, () => stop.abort());
  process.stdin.on("data", () => stop.abort()).on("end", () => process.exit(1));
  const nemeses = values.nemeses.split(",").filter((name) => name !== "");
  const wantsClocks = nemeses.length === 0 || nemeses.some((name) => name.startsWith("clock"));
  const campuses = values.loopback
    ? loopbackCampuses()
    : await namespaceCampuses(seed, Number(values.rtt));
  if (campuses.hasLinks) mountSmallDisk(join(dataDir, SMALL_DISK_NODE, "disk"));
  say(`starting the cluster in ${dataDir}`);
  const cluster = await ChaosCluster.start({
    dataDir,
    campuses,
    shape: { metadata: Number(values.metadata), storage: 6, gateways: Number(values.gateways) },
    isScrubSeldom: values.brisk && nemeses.every((name) => !name.startsWith("rot")),
    environmentOf: (name) => (wantsClocks ? clockEnvironment(dataDir, name) : {}),
  });
  try {
    const result = await runRound({
      cluster,
      dataDir,
      seed,
      seconds: Number(values.seconds),
      nemeses,
      clients: Number(values.clients),
      pauseMs: Number(values.pause),
      brisk: values.brisk,
      ...(values.lasts === "" ? {} : { lastsMs: range(values.lasts) }),
      say,
      signal: stop.signal,
    });
    const load = loadavg()
      .map((share) => share.toFixed(1))
      .join(", ");
    // Times are worth what the machine was: beside others' work they say little.
    const machine = `${availableParallelism()} processors, load over 1, 5, 15 minutes ${load}`;
    const text = `${summary(result)}\n${machine}`;
    say(text);
    writeFileSync(join(dataDir, "summary.txt"), `${text}\n`);
    const own = cluster.processes.filter(({ ownEnds }) => ownEnds.length > 0);
    for (const { name, ownEnds } of own) say(`${name} ended by itself: ${ownEnds.join(", ")}`);
    return result.isGood ? 0 : 1;
  } finally {
    await cluster.close();
    await campuses.close();
  }
}

/** Runs `main.ts --inside` in namespaces of its own; resolves with its exit code. */
function enter(dataDir: string): Promise<number> {
  const own = values.loopback
    ? []
    : ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
  const arguments_ = process.argv.slice(2).filter((text) => text !== "--keep");
  const seeded = ["--seed", values.seed, "--inside", dataDir];
  const [command = "", ...rest] = [
    ...own,
    process.execPath,
    join(import.meta.dirname, "main.ts"),
    ...arguments_,
    ...seeded,
  ];
  // Its standard input ends when this process ends, and then it ends too; a line asks it to stop.
  const child = spawn(command, rest, { stdio: ["pipe", "inherit", "inherit"] });
  child.stdin.on("error", () => undefined);
  let signals = 0;
  const onSignal = (): void => {
    signals += 1;
    if (signals === 1) child.stdin.write("stop\n");
    else child.kill("SIGKILL");
  };
  for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, onSignal);
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  child.once("error", reject);
  child.once("exit", (code) => resolve(code ?? 1));
  return promise;
}

if (values.inside !== undefined) {
  process.exit(await run(values.inside));
}
const folder = mkdtempSync(join(tmpdir(), "dolium-chaos-"));
const dataDir = join(folder, `seed-${values.seed}`);
mkdirSync(dataDir);
say(`chaos: SEED=${values.seed} SECONDS=${values.seconds} NEMESES=${values.nemeses}`);
const code = await enter(dataDir);
if (code === 0 && !values.keep) rmSync(folder, { recursive: true, force: true });
else say(`kept ${dataDir}`);
process.exitCode = code;
