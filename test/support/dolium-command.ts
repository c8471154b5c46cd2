// Runs the `dolium` command as a person would type it, with nothing of this process's environment
// but the path of programs: no keys, no profiles, no settings of whoever runs the tests.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import process from "node:process";

/** Where a run of many tests has packed the program (packed-program.ts); empty: nowhere. */
const PACKED = process.env.DOLIUM_TEST_PROGRAM ?? "";

/** What starts the command. */
export const DOLIUM =
  PACKED === ""
    ? join(import.meta.dirname, "../../services/cli/bin/dolium")
    : join(PACKED, "bin/dolium");

/** The program itself, for Node. */
export const DOLIUM_MAIN =
  PACKED === ""
    ? join(import.meta.dirname, "../../services/cli/main.ts")
    : join(PACKED, "services/cli/main.js");

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  /** Once the process is gone and what it wrote was read; rejects when it did not start. */
  readonly ended: Promise<Ended>;
}

export interface Place {
  /** Where it runs; also the home of whoever runs it. */
  readonly folder: string;
  readonly environment?: Readonly<Record<string, string>>;
}

export function startDolium(args: readonly string[], { folder, environment }: Place): Running {
  const { PATH = "" } = process.env;
  const state = join(folder, "state");
  const child = spawn(DOLIUM, [...args], {
    cwd: folder,
    env: { PATH, HOME: folder, XDG_STATE_HOME: state, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = Promise.withResolvers<Ended>();
  const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on("data", (bytes: Buffer) => stdout.push(bytes));
  child.stderr.on("data", (bytes: Buffer) => stderr.push(bytes));
  child.once("error", ended.reject);
  child.once("close", (code) => {
    const text = (parts: Buffer[]): string => Buffer.concat(parts).toString();
    ended.resolve({ code, stdout: text(stdout), stderr: text(stderr) });
  });
  return { child, ended: ended.promise };
}

export function runDolium(args: readonly string[], place: Place): Promise<Ended> {
  return startDolium(args, place).ended;
}

/** The one JSON object that a command prints with --json, which must end with 0. */
export async function jsonOfDolium(
  args: readonly string[],
  place: Place,
): Promise<Readonly<Record<string, unknown>>> {
  const { code, stdout, stderr } = await runDolium([...args, "--json"], place);
  assert.equal(code, 0, `dolium ${args.join(" ")}: ${stdout}${stderr}`);
  const parsed: unknown = JSON.parse(stdout);
  assert.ok(typeof parsed === "object" && parsed !== null);
  return Object.fromEntries(Object.entries(parsed));
}
