// One process of the cluster under test: started, started again when it ends by itself (as a
// service manager would), killed, paused and held down by nemeses.
import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream, mkdirSync, type WriteStream } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import type { Role } from "../../services/cli/dev/cluster-file.ts";
import { DOLIUM_MAIN } from "../support/dolium-command.ts";
import { eventually } from "../support/eventually.ts";
import type { Campus } from "./campuses.ts";

export interface ProcessPlan {
  readonly name: string;
  readonly role: Role;
  readonly campus: Campus;
  readonly dir: string;
  readonly rpcPort: number;
  readonly opsPort: number;
  readonly s3Port: number;
  readonly adminPort: number;
}

export interface ProcessOptions {
  readonly plan: ProcessPlan;
  readonly configPath: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The command line that runs a command where the process stands. */
  readonly wrap: (command: readonly string[]) => readonly string[];
}

const RESTART_MS = 500;
const STOP_MS = 20_000;
/** A process that ends by itself more often than this will not become ready. */
const OWN_ENDS_MAX = 20;

export class ChaosProcess {
  readonly plan: ProcessPlan;
  readonly #options: ProcessOptions;
  readonly #log: WriteStream;
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #isHeld = false;
  #isReady = false;
  /** Ends that nobody asked for. */
  readonly ownEnds: string[] = [];

  constructor(options: ProcessOptions) {
    this.plan = options.plan;
    this.#options = options;
    mkdirSync(options.plan.dir, { recursive: true });
    this.#log = createWriteStream(this.logPath, { flags: "a" });
  }

  get name(): string {
    return this.plan.name;
  }

  get logPath(): string {
    return join(this.plan.dir, `${this.name}.log`);
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /** Undefined while it is down. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  start(): void {
    if (this.#child !== undefined) return;
    this.#isHeld = false;
    clearTimeout(this.#timer);
    const { plan, configPath, environment, wrap } = this.#options;
    const args = [DOLIUM_MAIN, plan.role, "--config", configPath, "--json", "--supervised"];
    const [command = "", ...rest] = wrap([process.execPath, ...args]);
    const child = spawn(command, rest, { env: { ...environment }, stdio: "pipe" });
    this.#child = child;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#exited = promise;
    // Only keeps the child alive as long as we are; a broken pipe is met in `exit`.
    child.stdin.on("error", () => undefined);
    child.stderr.on("data", (bytes: Buffer) => this.#log.write(bytes));
    createInterface({ input: child.stdout }).on("line", (line) => this.#readLine(child, line));
    child.once("error", (error) => this.#onExit(child, error.message, resolve));
    child.once("exit", (code, signal) => this.#onExit(child, signal ?? `code ${code}`, resolve));
  }

  async untilReady(timeoutMs: number): Promise<void> {
    const ended = await eventually(`${this.name} is ready`, timeoutMs, async () => {
      if (this.#isReady) return "";
      return this.ownEnds.length > OWN_ENDS_MAX ? this.ownEnds.join(", ") : undefined;
    });
    if (ended !== "") throw new Error(`${this.name} ends: ${ended}; see ${this.logPath}`);
  }

  /** Ends it at once and keeps it down until `start`. */
  async kill(): Promise<void> {
    this.#isHeld = true;
    clearTimeout(this.#timer);
    this.#child?.kill("SIGKILL");
    await this.#exited;
  }

  /** Asks it to end, waits, and keeps it down until `start`. */
  async stop(): Promise<void> {
    this.#isHeld = true;
    clearTimeout(this.#timer);
    const child = this.#child;
    if (child === undefined) return;
    child.kill("SIGCONT");
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
    await this.#exited;
    clearTimeout(timer);
  }

  signal(name: "SIGSTOP" | "SIGCONT"): void {
    this.#child?.kill(name);
  }

  async close(): Promise<void> {
    await this.stop();
    await new Promise<void>((done) => this.#log.end(() => done()));
  }

  #readLine(child: ChildProcess, line: string): void {
    if (line.includes('"event":"ready"') && child === this.#child) this.#isReady = true;
    else this.#log.write(`${line}\n`);
  }

  #onExit(child: ChildProcess, how: string, resolve: () => void): void {
    if (child === this.#child) {
      this.#child = undefined;
      this.#isReady = false;
      if (!this.#isHeld) {
        this.ownEnds.push(how);
        this.#log.write(`harness: ended by itself (${how})\n`);
        this.#timer = setTimeout(() => this.start(), RESTART_MS);
      }
    }
    resolve();
  }
}
