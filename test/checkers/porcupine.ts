// Builds and asks the Go program of `porcupine/`: an independent opinion on the same history. Where
// there is no Go, or its module cannot be fetched, it says why instead.
import { execFile, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Operation, toLine } from "./history.ts";

const SOURCE = join(import.meta.dirname, "porcupine");
const BUILD_TIMEOUT_MS = 300_000;

export type Opinion = "ok" | "violation" | "unknown";

export class Porcupine {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** A built program, or the reason why there is none. */
  static async build(): Promise<Porcupine | string> {
    try {
      await promisify(execFile)("go", ["version"], { timeout: BUILD_TIMEOUT_MS });
    } catch {
      return "go is not installed on this machine";
    }
    const folder = mkdtempSync(join(tmpdir(), "dolium-porcupine-"));
    const built = new Porcupine(folder);
    try {
      const args = ["build", "-o", built.#program, "."];
      await promisify(execFile)("go", args, { cwd: SOURCE, timeout: BUILD_TIMEOUT_MS });
      return built;
    } catch (error) {
      built.remove();
      const text = String(error);
      if (!/dial|lookup|proxy|timeout|connection|network/i.test(text)) throw error;
      return `the module of porcupine cannot be fetched: ${text.slice(0, 300)}`;
    }
  }

  get #program(): string {
    return join(this.#folder, "porcupine");
  }

  /** The verdict of every key, by "bucket/key". */
  async ask(history: readonly Operation[], limitSeconds = 30): Promise<Map<string, Opinion>> {
    const child = spawn(this.#program, ["-limit", `${limitSeconds}s`]);
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    let output = "";
    let problems = "";
    child.stdout.on("data", (bytes: Buffer) => {
      output += bytes.toString();
    });
    child.stderr.on("data", (bytes: Buffer) => {
      problems += bytes.toString();
    });
    child.once("error", reject);
    child.stdin.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve(output);
      else reject(new Error(`porcupine ended with ${code}: ${problems}`));
    });
    child.stdin.end(history.map(toLine).join(""));
    const lines = (await promise).split("\n").filter((line) => line !== "");
    return new Map(
      lines.map((line) => {
        // One JSON object a line, written by main.go beside this file.
        const { key, verdict } = JSON.parse(line) as { key: string; verdict: Opinion };
        return [key, verdict];
      }),
    );
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
