// One child process of a local cluster: started, watched for its ready line, restarted when it
// dies, and stopped. Its stdin stays open as long as the parent lives: a child whose stdin ends
// stops by itself.
import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream, mkdirSync, type WriteStream } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import type { PlannedProcess } from "./cluster-file.ts";

export interface ChildOptions {
  readonly planned: PlannedProcess;
  readonly configPath: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly restart: boolean;
  /** Told when the process (pid) became ready, after every start. */
  readonly onReady: (child: Child) => void;
  /** Told when it ended without being stopped. */
  readonly onExit: (child: Child, how: string) => void;
}

const RESTART_MIN_MS = 200;
const RESTART_MAX_MS = 2000;
const STOP_MS = 15_000;

/** As services/cli/bin/dolium sets them where a role is started by itself. */
function memorySettings(role: string): Readonly<Record<string, string>> {
  return role === "gateway" ? { MALLOC_MMAP_THRESHOLD_: "65536" } : {};
}

export class Child {
  readonly planned: PlannedProcess;
  readonly #options: ChildOptions;
  readonly #log: WriteStream;
  #process: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();
  #stopping = false;
  #ready = false;
  #restartMs = RESTART_MIN_MS;
  #restartTimer: NodeJS.Timeout | undefined;
  starts = 0;

  constructor(options: ChildOptions) {
    this.planned = options.planned;
    this.#options = options;
    mkdirSync(options.planned.dir, { recursive: true });
    this.#log = createWriteStream(this.logPath, { flags: "a" });
  }

  get logPath(): string {
    return join(this.planned.dir, `${this.planned.name}.log`);
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  get ready(): boolean {
    return this.#ready;
  }

  start(): void {
    // The program that runs now: the sources, or a bundle of them.
    const main = process.argv[1] ?? join(import.meta.dirname, "../main.ts");
    const { planned, configPath, environment } = this.#options;
    const started = spawn(
      process.execPath,
      [...process.execArgv, main, planned.role, "--config", configPath, "--json", "--supervised"],
      { env: { ...environment, ...memorySettings(planned.role) }, stdio: ["pipe", "pipe", "pipe"] },
    );
    this.starts += 1;
    this.#process = started;
    // The pipe only shows the child that its parent lives; a broken one is met in `exit`.
    started.stdin.on("error", () => undefined);
    started.stderr.on("data", (bytes: Buffer) => this.#log.write(bytes));
    createInterface({ input: started.stdout }).on("line", (line) => this.#readLine(line));
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#exited = promise;
    started.once("exit", (code, signal) => {
      this.#ready = false;
      resolve();
      if (!this.#stopping) this.#onExit(signal ?? `code ${code}`);
    });
    started.once("error", (error) => {
      resolve();
      this.#log.write(`${error.message}\n`);
    });
  }

  /** Asks it to end, waits, and ends it. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#restartTimer);
    const running = this.#process;
    if (running !== undefined && running.exitCode === null && running.signalCode === null) {
      running.kill("SIGTERM");
      const timer = setTimeout(() => running.kill("SIGKILL"), STOP_MS);
      await this.#exited;
      clearTimeout(timer);
    }
    await new Promise<void>((done) => this.#log.end(() => done()));
  }

  #readLine(line: string): void {
    if (!line.includes('"event":"ready"')) {
      this.#log.write(`${line}\n`);
      return;
    }
    this.#ready = true;
    this.#restartMs = RESTART_MIN_MS;
    this.#options.onReady(this);
  }

  #onExit(how: string): void {
    this.#options.onExit(this, how);
    if (!this.#options.restart) return;
    this.#restartTimer = setTimeout(() => {
      if (!this.#stopping) this.start();
    }, this.#restartMs);
    this.#restartMs = Math.min(RESTART_MAX_MS, this.#restartMs * 2);
  }
}
