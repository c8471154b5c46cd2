// The AWS CLI for tests of many commands: one Python process runs them one after the other
// (aws_commands.py). `aws` itself, a process a command, is run by the tests that need no more.
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import type { Client } from "./row-test.ts";

interface Line {
  readonly version?: string;
  readonly code?: number;
  readonly stdout?: string;
  readonly stderr?: string;
}

export class AwsCommands {
  readonly client: Client;
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  #stderr = "";
  #last: Promise<unknown> = Promise.resolve();

  private constructor(child: ChildProcess, lines: AsyncIterator<string>, version: string) {
    this.#child = child;
    this.#lines = lines;
    const absent = version === "" ? "AWS CLI is not installed on this machine" : undefined;
    this.client = { name: "AWS CLI", version, absent };
    child.stderr?.on("data", (bytes: Buffer) => {
      this.#stderr = (this.#stderr + bytes.toString()).slice(-4000);
    });
  }

  /** Where there is no AWS CLI the client is absent, and nothing is left of the process. */
  static async start(): Promise<AwsCommands> {
    const script = join(import.meta.dirname, "aws_commands.py");
    const child = spawn("python3", ["-W", "ignore", script], {
      env: { ...process.env, PYTHONUTF8: "1" },
      stdio: ["pipe", "pipe", "pipe"],
    });
    child.once("error", () => undefined);
    // A process that ended is met where its answer is read.
    child.stdin.on("error", () => undefined);
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const first = await lines.next();
    const { version = "" } = first.done === true ? {} : lineOf(first.value);
    return new AwsCommands(child, lines, version);
  }

  /** What the command printed; throws with it when the command fails. Commands take turns. */
  run(args: readonly string[], environment: Readonly<Record<string, string>>): Promise<string> {
    const mine = this.#last.then(() => this.#ask(args, environment));
    this.#last = mine.catch(() => undefined);
    return mine;
  }

  async #ask(
    args: readonly string[],
    environment: Readonly<Record<string, string>>,
  ): Promise<string> {
    this.#child.stdin?.write(`${JSON.stringify({ args, environment })}\n`);
    const next = await this.#lines.next();
    if (next.done === true) throw new Error(`aws_commands.py ended: ${this.#stderr}`);
    const { code, stdout = "", stderr = "" } = lineOf(next.value);
    if (code !== 0) throw new Error(`aws ${args.join(" ")}: ${code}\n${stdout}${stderr}`);
    return stdout;
  }

  /** Resolves when the process is gone. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.pid === undefined) return;
    const gone = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.stdin?.end();
    await gone;
  }
}

/** Checked boundary: our own lines. */
function lineOf(text: string): Line {
  return JSON.parse(text) as Line;
}
