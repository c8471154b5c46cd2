// Runs object verbs of the built command as people do, in a process of its own, against a gateway
// of the test; files and state live in a temporary folder that is removed with the bench.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { startCluster, type TestCluster } from "../../s3/harness.ts";
import { DOLIUM_MAIN } from "../../support/dolium-command.ts";

export interface Ended {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
}

export type Variables = Readonly<Record<string, string>>;

export class CommandBench {
  readonly cluster: TestCluster;
  readonly folder: string;

  private constructor(cluster: TestCluster) {
    this.cluster = cluster;
    this.folder = mkdtempSync(join(tmpdir(), "dolium-objects-"));
  }

  static async start(): Promise<CommandBench> {
    return new CommandBench(await startCluster());
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  start(args: readonly string[], variables: Variables = {}, input?: Uint8Array): Running {
    const environment: Record<string, string> = {
      PATH: process.env.PATH ?? "",
      NODE_COMPILE_CACHE: join(import.meta.dirname, "../../../node_modules/.cache/dolium"),
      HOME: this.folder,
      XDG_STATE_HOME: join(this.folder, "state"),
      AWS_ENDPOINT_URL: this.cluster.endpoint,
      AWS_ACCESS_KEY_ID: this.cluster.accessKeyId,
      AWS_SECRET_ACCESS_KEY: this.cluster.secretAccessKey,
      AWS_REGION: this.cluster.region,
      ...variables,
    };
    const child = spawn(process.execPath, ["--disable-proto=delete", DOLIUM_MAIN, ...args], {
      cwd: this.folder,
      env: environment,
      stdio: ["pipe", "pipe", "pipe"],
    });
    const { promise, resolve } = Promise.withResolvers<Ended>();
    const stdout: Buffer[] = [];
    let stderr = "";
    child.stdout.on("data", (bytes: Buffer) => stdout.push(bytes));
    child.stderr.on("data", (bytes: Buffer) => {
      stderr += bytes.toString();
    });
    child.once("close", (code) => resolve({ code, stdout: Buffer.concat(stdout), stderr }));
    // The command may end before it has read what it does not want.
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
    return { child, ended: promise };
  }

  run(args: readonly string[], variables: Variables = {}, input?: Uint8Array): Promise<Ended> {
    return this.start(args, variables, input).ended;
  }

  /** Runs what must succeed; its stdout as text. */
  async ok(...args: readonly string[]): Promise<string> {
    return (await this.bytes(...args)).toString();
  }

  /** Runs what must succeed; its stdout as it is. */
  async bytes(...args: readonly string[]): Promise<Buffer> {
    const { code, stdout, stderr } = await this.run(args);
    if (code !== 0) {
      throw new Error(`dolium ${args.join(" ")}: ${code}\n${stdout.toString()}\n${stderr}`);
    }
    return stdout;
  }

  /** The JSON lines of what must succeed. */
  async lines(...args: readonly string[]): Promise<Readonly<Record<string, unknown>>[]> {
    return jsonLines(await this.ok(...args, "--json"));
  }

  async stop(): Promise<void> {
    await this.cluster.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export function jsonLines(text: string): Readonly<Record<string, unknown>>[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const value: unknown = JSON.parse(line);
      if (typeof value !== "object" || value === null) throw new Error(`no object: ${line}`);
      return { ...value };
    });
}
