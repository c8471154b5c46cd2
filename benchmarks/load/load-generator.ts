// The runner's hold on its load process.
import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";
import { BenchError } from "../runner/bench-error.ts";
import type { Job, JobResult, LoadAnswer } from "./job.ts";

const PROGRAM = join(import.meta.dirname, "load-process.ts");

export class LoadGenerator {
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;
  #failRunning: ((error: Error) => void) | undefined;

  constructor() {
    this.#child = fork(PROGRAM, { stdio: ["ignore", "ignore", "inherit", "ipc"] });
    this.#exited = new Promise((resolve) => this.#child.once("exit", () => resolve()));
    this.#child.once("exit", () => this.#failRunning?.(new BenchError("the load process ended")));
  }

  /** One job at a time. Throws BenchError with the first request that failed. */
  async run(job: Job): Promise<JobResult> {
    const { promise, resolve, reject } = Promise.withResolvers<JobResult>();
    this.#failRunning = reject;
    // Only load-process.ts answers here.
    const onMessage = (message: unknown): void => {
      const answer = message as LoadAnswer;
      if (answer.kind === "done") resolve(answer.result);
      else reject(new BenchError(answer.reason));
    };
    this.#child.on("message", onMessage);
    this.#child.send(job);
    try {
      return await promise;
    } finally {
      this.#child.off("message", onMessage);
      this.#failRunning = undefined;
    }
  }

  async close(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#exited;
  }
}
