// One `dolium server` process that is started, and ended as a power cut ends it. It keeps the
// complaints of its log (errors, and what a store says that had to be mended) for the report.
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Target } from "../s3/caller.ts";
import { DOLIUM } from "../support/dolium-command.ts";

const READY_TIMEOUT_MS = 180_000;
const STDERR_CHARACTERS = 20_000;

interface ReadyLine {
  readonly event: string;
  readonly endpoints: readonly [string];
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
}

/** A server over directories, as the power runs see it. */
export interface Store {
  /** Message of each line of the log at level error, and how often. */
  readonly errors: ReadonlyMap<string, number>;
  /** Whether it can be ended before it is ready. */
  readonly canStopStarting: boolean;
  /** Resolves when it serves; rejects when it ended before or takes too long. */
  ready(): Promise<Target>;
  /** Ends it at once; resolves when nothing of it is left. */
  kill(): Promise<void>;
}

export interface ServerOptions {
  readonly directories: readonly string[];
  readonly s3Port: number;
  readonly environment?: Readonly<Record<string, string>>;
}

export class ServerProcess implements Store {
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;
  readonly #ready = Promise.withResolvers<Target>();
  readonly errors = new Map<string, number>();
  readonly canStopStarting = true;
  #stderr = "";

  constructor({ directories, s3Port, environment }: ServerOptions) {
    const child = spawn(DOLIUM, ["server", "--s3-port", String(s3Port), "--json", ...directories], {
      env: { ...process.env, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    const exited = Promise.withResolvers<void>();
    this.#exited = exited.promise;
    child.once("exit", () => exited.resolve());
    createInterface({ input: child.stdout }).on("line", (line) => {
      // Lines are our own JSON by contract.
      const event = JSON.parse(line) as ReadyLine;
      if (event.event === "ready") {
        const { accessKeyId, secretAccessKey, region } = event;
        const [endpoint] = event.endpoints;
        this.#ready.resolve({ endpoint, accessKeyId, secretAccessKey, region });
      }
    });
    createInterface({ input: child.stderr }).on("line", (line) => this.#readLog(line));
    // Whoever waits sees it; a process that is ended while it starts has nobody who waits.
    this.#ready.promise.catch(() => undefined);
    void this.#exited.then(() =>
      this.#ready.reject(new Error(`dolium server ended: ${this.#stderr}`)),
    );
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async ready(): Promise<Target> {
    const timer = setTimeout(() => {
      this.#ready.reject(new Error(`dolium server is not ready: ${this.#stderr}`));
    }, READY_TIMEOUT_MS);
    try {
      return await this.#ready.promise;
    } finally {
      clearTimeout(timer);
    }
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#exited;
  }

  #readLog(line: string): void {
    this.#stderr = `${this.#stderr}${line}\n`.slice(-STDERR_CHARACTERS);
    const message = /"level":"error".*"message":"([^"]*)"/.exec(line)?.[1];
    if (message !== undefined) this.errors.set(message, (this.errors.get(message) ?? 0) + 1);
  }

  get log(): string {
    return this.#stderr;
  }
}
