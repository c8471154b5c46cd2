// The checks of Go clients in go/, as `make go-clients` built them: a first build takes minutes of
// every core, which is too much for each run of the tests. Without it the clients are absent.
import { join } from "node:path";
import { missing, runCommand } from "../support/run-command.ts";
import type { Client } from "./row-test.ts";

export const GO_PROGRAM = join(import.meta.dirname, "../../.ci/go-clients");

/** Clients by the module path that they come from, of the versions that were built in. */
export type GoClients = (name: string, module: string) => Client;

/** With `command`: absent, too, where the program was built before it had that command. */
export async function findGoClients(command?: string): Promise<GoClients> {
  const noGo = await missing("go", ["version"]);
  if (noGo !== undefined) return absent(noGo);
  if ((await missing("test", ["-x", GO_PROGRAM])) !== undefined) {
    return absent("the Go clients are not built (make go-clients)");
  }
  if (command !== undefined && !(await hasCommand(command))) {
    return absent(`the Go clients were built before ${command} (make go-clients)`);
  }
  // Lines of `dep MODULE VERSION HASH`.
  const built = await runCommand("go", ["version", "-m", GO_PROGRAM]);
  const fields = built.split("\n").map((line) => line.trim().split("\t"));
  return (name, module) => {
    const version = fields.find((line) => line[0] === "dep" && line[1] === module)?.[2];
    if (version === undefined) throw new Error(`${module} is not in the program:\n${built}`);
    return { name, version: version.replace(/^v/, ""), absent: undefined };
  };
}

async function hasCommand(command: string): Promise<boolean> {
  try {
    return (await runCommand(GO_PROGRAM, ["commands"])).split("\n").includes(command);
  } catch {
    return false;
  }
}

function absent(reason: string): GoClients {
  return (name) => ({ name, version: "", absent: reason });
}

/** What the checks of one client printed. Throws, with all of that, unless every one held. */
export async function runGoProgram(
  client: "aws" | "minio",
  environment: Readonly<Record<string, string>>,
): Promise<string> {
  const printed = await runCommand(GO_PROGRAM, [client], { environment }).catch(said);
  if (!printed.endsWith("ok all\n")) throw new Error(`${client}:\n${printed}`);
  return printed;
}

function said(error: unknown): string {
  if (!(error instanceof Error)) throw error;
  const stdout = "stdout" in error ? String(error.stdout) : "";
  return `${stdout}${error.message}`;
}
