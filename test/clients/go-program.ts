// The checks of Go clients in go/: built once for a test file, from modules that .ci/run brings.
// Where there is no Go, or an older one, or a module is missing, the clients are absent.
import { join } from "node:path";
import { missing, runCommand } from "../support/run-command.ts";
import type { Client } from "./row-test.ts";

const SOURCE = join(import.meta.dirname, "go");
/** Nothing is fetched while tests run. */
const OFFLINE = { GOPROXY: "off", GOTOOLCHAIN: "local", GOFLAGS: "-mod=readonly" };
const IS_MISSING = /GOPROXY=off|requires go >= /;

/** Clients by the module path that they come from, of the versions that were built in. */
export type GoClients = (name: string, module: string) => Client;

/** Builds into `folder`. Throws when the program does not compile. */
export async function buildGoProgram(folder: string): Promise<GoClients> {
  const noGo = await missing("go", ["version"]);
  if (noGo !== undefined) return absent(noGo);
  try {
    await runCommand("go", ["build", "-o", programIn(folder), "."], {
      ...{ cwd: SOURCE, environment: OFFLINE },
    });
  } catch (error) {
    if (!IS_MISSING.test(String(error))) throw error;
    return absent("the modules of Go clients are not on this machine");
  }
  // Lines of `dep MODULE VERSION HASH`.
  const built = await runCommand("go", ["version", "-m", programIn(folder)]);
  const fields = built.split("\n").map((line) => line.trim().split("\t"));
  return (name, module) => {
    const version = fields.find((line) => line[0] === "dep" && line[1] === module)?.[2];
    if (version === undefined) throw new Error(`${module} is not in the program:\n${built}`);
    return { name, version: version.replace(/^v/, ""), absent: undefined };
  };
}

function absent(reason: string): GoClients {
  return (name) => ({ name, version: "", absent: reason });
}

function programIn(folder: string): string {
  return join(folder, "go-clients");
}

/** What the checks of one client printed. Throws, with all of that, unless every one held. */
export async function runGoProgram(
  folder: string,
  client: "aws" | "minio",
  environment: Readonly<Record<string, string>>,
): Promise<string> {
  const printed = await runCommand(programIn(folder), [client], { environment }).catch(said);
  if (!printed.endsWith("ok all\n")) throw new Error(`${client}:\n${printed}`);
  return printed;
}

function said(error: unknown): string {
  if (!(error instanceof Error)) throw error;
  const stdout = "stdout" in error ? String(error.stdout) : "";
  return `${stdout}${error.message}`;
}
