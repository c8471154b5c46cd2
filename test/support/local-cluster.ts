// Starts `dolium dev` or `dolium server` as a user would, over a temporary directory, reads its
// JSON lines, kills and restarts its processes. Everything it started is gone after `stop`.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { S3Client } from "@aws-sdk/client-s3";
import { readPlan } from "../../services/cli/dev/cluster-file.ts";
import { FreePorts } from "../../services/cli/dev/free-ports.ts";
import { DOLIUM } from "./dolium-command.ts";
import { eventually } from "./eventually.ts";

export interface RunningProcess {
  readonly name: string;
  readonly role: string;
  readonly pid: number;
  readonly dir: string;
}

interface ReadyLine {
  readonly endpoints: readonly string[];
  /** Console and admin API on a port of their own. */
  readonly adminUrl?: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
  readonly processes: readonly RunningProcess[];
}

export interface ClusterOptions {
  /** Arguments after `dolium`, without --data, --s3-port and --json. */
  readonly args?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Keep using this directory; otherwise a new one is made and removed at the end. */
  readonly dataDir?: string;
  readonly readyTimeoutMs?: number;
  /** Port of the first gateway; a free one when left out. */
  readonly s3Port?: number;
}

/** Starting is bounded by the processors, which the machine may give to others. */
const READY_TIMEOUT_MS = 180_000;
const LOG_TAIL_LINES = 8;
const STOP_TIMEOUT_MS = 30_000;

export class LocalCluster {
  readonly dataDir: string;
  readonly #ownsData: boolean;
  #options: ClusterOptions;
  readonly #pids = new Map<string, RunningProcess>();
  readonly #ports = new FreePorts();
  readonly #started = new Set<string>();
  #child: ChildProcess | undefined;
  #exit: Promise<number | null> = Promise.resolve(null);
  #ready: ReadyLine | undefined;
  #s3Port = 0;
  #stderr = "";

  private constructor(options: ClusterOptions) {
    this.#options = options;
    this.#ownsData = options.dataDir === undefined;
    this.dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), "dolium-test-"));
  }

  static async start(options: ClusterOptions = {}): Promise<LocalCluster> {
    const cluster = new LocalCluster(options);
    cluster.#s3Port = options.s3Port ?? (await cluster.#ports.take());
    try {
      await cluster.#launch();
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  get ready(): ReadyLine {
    if (this.#ready === undefined) throw new Error("cluster is not ready");
    return this.#ready;
  }

  get endpoints(): readonly string[] {
    return this.ready.endpoints;
  }

  /** Messages on stderr so far. */
  get stderr(): string {
    return this.#stderr;
  }

  processes(role?: string): RunningProcess[] {
    return [...this.#pids.values()].filter(
      (running) => role === undefined || running.role === role,
    );
  }

  process(name: string): RunningProcess {
    const found = this.#pids.get(name);
    if (found === undefined) throw new Error(`no process ${name}`);
    return found;
  }

  /** Ends one process at once; resolves when the system no longer knows it. */
  async kill(name: string): Promise<void> {
    const { pid } = this.process(name);
    process.kill(pid, "SIGKILL");
    await eventually(`${name} ends`, 60_000, async () => (isAlive(pid) ? undefined : true));
  }

  /** Ends every process at once, the parent first, as a power cut would end them. */
  async killAll(): Promise<void> {
    const child = this.#child;
    const pids = this.processes().map((running) => running.pid);
    child?.kill("SIGKILL");
    for (const pid of pids) if (isAlive(pid)) process.kill(pid, "SIGKILL");
    for (const pid of pids) {
      await eventually("all end", 60_000, async () => (isAlive(pid) ? undefined : true));
    }
    await this.#exit;
    this.#child = undefined;
  }

  /** Starts again over the same data, on the same port; with other arguments if some are given. */
  async restart(args: readonly string[] | undefined = this.#options.args): Promise<void> {
    this.#options = { ...this.#options, ...(args === undefined ? {} : { args }) };
    await this.#launch();
  }

  /** Waits until the named process runs under another pid and is ready. */
  async restarted(name: string, formerPid: number, timeoutMs = 30_000): Promise<RunningProcess> {
    return eventually(`${name} is restarted`, timeoutMs, async () => {
      const running = this.#pids.get(name);
      return running !== undefined && running.pid !== formerPid ? running : undefined;
    });
  }

  s3(endpoint = 0, attempts = 3): S3Client {
    const { accessKeyId, secretAccessKey, region, endpoints } = this.ready;
    return new S3Client({
      endpoint: endpoints[endpoint] ?? "",
      region,
      credentials: { accessKeyId, secretAccessKey },
      forcePathStyle: true,
      maxAttempts: attempts,
    });
  }

  /**
   * What `dolium status --json` prints over this data directory: the command's own code, without
   * a process, since tests ask again and again.
   */
  async status(): Promise<Record<string, unknown>> {
    // Loaded by those who ask.
    const { localStatus } = await import("../../services/cli/commands/status.ts");
    const plan = readPlan(this.dataDir);
    if (plan === undefined) throw new Error(`${this.dataDir} holds no cluster`);
    const source = localStatus(this.dataDir, plan);
    try {
      const { view } = await source.look();
      // One JSON object, by contract.
      return JSON.parse(JSON.stringify(view)) as Record<string, unknown>;
    } finally {
      await source.close();
    }
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child !== undefined) {
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
      await this.#exit;
      clearTimeout(timer);
    }
    for (const { pid } of this.processes()) if (isAlive(pid)) process.kill(pid, "SIGKILL");
    await this.#ports.close();
    if (process.env.DOLIUM_TEST_KEEP !== undefined) {
      process.stderr.write(`kept ${this.dataDir}\n`);
    } else if (this.#ownsData) {
      rmSync(this.dataDir, { recursive: true, force: true });
    }
  }

  async #launch(): Promise<void> {
    const [mode = "dev", ...rest] = this.#options.args ?? ["dev"];
    const data = mode === "dev" ? ["--data", this.dataDir] : [];
    const child = spawn(
      DOLIUM,
      [mode, ...data, "--s3-port", String(this.#s3Port), "--json", ...rest],
      {
        env: { ...process.env, DOLIUM_DATA: this.dataDir, ...this.#options.environment },
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    this.#child = child;
    this.#ready = undefined;
    this.#pids.clear();
    this.#started.clear();
    const exited = Promise.withResolvers<number | null>();
    this.#exit = exited.promise;
    child.once("exit", (code) => exited.resolve(code));
    child.stderr.on("data", (bytes: Buffer) => {
      this.#stderr = (this.#stderr + bytes.toString()).slice(-20_000);
    });
    createInterface({ input: child.stdout }).on("line", (line) => this.#readLine(line));
    const timeoutMs = this.#options.readyTimeoutMs ?? READY_TIMEOUT_MS;
    try {
      const end = await eventually(`dolium ${mode} is ready`, timeoutMs, async () =>
        child.exitCode === null ? this.#ready : "ended",
      );
      if (end === "ended") throw new Error(`dolium ${mode} ended: ${this.#stderr}`);
    } catch (error) {
      throw new Error(`${String(error)}\n${this.#notReady()}`, { cause: error });
    }
  }

  /** The planned processes that never became ready, each with the end of its log. */
  #notReady(): string {
    const planned = readPlan(this.dataDir)?.processes ?? [];
    const missing = planned.filter(({ name }) => !this.#started.has(name));
    const tails = missing.map(({ name, dir }) => {
      const path = join(dir, `${name}.log`);
      const lines = existsSync(path) ? readFileSync(path, "utf8").trimEnd().split("\n") : [];
      return `-- ${name} is not ready; its log ends:\n${lines.slice(-LOG_TAIL_LINES).join("\n")}`;
    });
    return `${missing.length} of ${planned.length} processes are not ready\n${tails.join("\n")}`;
  }

  #readLine(line: string): void {
    // Lines are our own JSON by contract; anything else fails the test here.
    const event = JSON.parse(line) as { event: string } & ReadyLine & RunningProcess;
    if (event.event === "ready") {
      this.#ready = event;
      for (const running of event.processes) this.#pids.set(running.name, running);
    } else if (event.event === "started") {
      this.#started.add(event.name);
    } else if (event.event === "restarted") {
      const known = this.#pids.get(event.name);
      if (known !== undefined) this.#pids.set(event.name, { ...known, pid: event.pid });
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
