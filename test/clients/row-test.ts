// Tests by real clients, each under the rows of the S3 surface it serves (A1, C21, ...). A client
// that is not on this machine is skipped by name. With DOLIUM_CLIENT_RESULTS naming a file, every
// outcome is appended to it as one JSON line: the source of docs/client-matrix.md.
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { runCommand } from "../support/run-command.ts";
import type { RowName } from "./rows.ts";

const TIMEOUT_MS = 240_000;

export interface Client {
  readonly name: string;
  /** As the client itself says. */
  readonly version: string;
  /** Why its tests are skipped; undefined when it is here. */
  readonly absent: string | undefined;
  /** Only its requests are here, sent by replay.ts; a pass is shown as "replayed". */
  readonly isReplayed?: boolean;
}

export interface ClientOutcome {
  readonly rows: readonly RowName[];
  readonly client: string;
  readonly version: string;
  readonly file: string;
  readonly title: string;
  readonly outcome: "passed" | "replayed" | "failed" | "skipped";
}

export interface Probe {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** Asks a program for its version: the first number with a dot that it prints. */
export async function findClient(probe: Probe): Promise<Client> {
  const { name, program, args } = probe;
  try {
    const printed = await runCommand(program, args, { environment: probe.environment ?? {} });
    const version = /\d+(?:\.\d+)+/.exec(printed)?.[0];
    if (version === undefined) throw new Error(`${name} says no version: ${printed}`);
    return { name, version, absent: undefined };
  } catch {
    return { name, version: "", absent: `${name} is not installed on this machine` };
  }
}

/** A client that cannot be installed, of the version whose requests are sent in its place. */
export function replayed(name: string, version: string): Client {
  return { name, version, absent: undefined, isReplayed: true };
}

/** A Python package, asked for `version` (an expression after `import package`). */
export async function findPython(name: string, module: string, version: string): Promise<Client> {
  return findClient({
    name,
    program: "python3",
    args: ["-W", "ignore", "-c", `import ${module}; print(${version})`],
  });
}

/** A Python check beside these tests; throws with what it printed when one of its checks fails. */
export async function runPython(
  script: string,
  environment: Readonly<Record<string, string>>,
): Promise<string> {
  const args = ["-u", "-W", "ignore", join(import.meta.dirname, script)];
  const printed = await runCommand("python3", args, { environment }).catch(said);
  if (!printed.endsWith("ok all\n")) throw new Error(`${script}:\n${printed}`);
  return printed;
}

/** What a command that failed had printed. */
function said(error: unknown): string {
  if (!(error instanceof Error)) throw error;
  const { stdout = "", stderr = "" } = error as Error & { stdout?: string; stderr?: string };
  return `${stdout}${stderr}`;
}

/** Any of several clients missing makes the test skip. */
export function rowTest(
  clients: Client | readonly Client[],
  rows: readonly RowName[],
  title: string,
  body: () => Promise<void>,
): void {
  const all = "name" in clients ? [clients] : clients;
  const skip = all.find((client) => client.absent !== undefined)?.absent ?? false;
  const name = all.map((client) => client.name).join(" and ");
  const record = (result: ClientOutcome["outcome"]): void => {
    const file = (process.argv[1] ?? "").split("/").at(-1) ?? "";
    for (const client of all) {
      const outcome = result === "passed" && client.isReplayed === true ? "replayed" : result;
      note({ rows, client: client.name, version: client.version, file, title, outcome });
    }
  };
  if (skip !== false) record("skipped");
  test(`${rows.join(" ")} ${name}: ${title}`, { skip, timeout: TIMEOUT_MS }, async () => {
    try {
      await body();
    } catch (error) {
      record("failed");
      throw error;
    }
    record("passed");
  });
}

function note(outcome: ClientOutcome): void {
  const path = process.env.DOLIUM_CLIENT_RESULTS;
  if (path !== undefined) appendFileSync(path, `${JSON.stringify(outcome)}\n`);
}
