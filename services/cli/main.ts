// The `dolium` command: finds the subcommand, parses its options, runs it. Exit codes: 0 done, 1
// failed, 2 usage.
import process from "node:process";
import { type Command, commandHelp, parseCommand, UsageError } from "./command-line.ts";
import { reportFailure } from "./output.ts";
import { VERSION } from "./version.ts";

type Loader = () => Promise<readonly Command[]>;

const roles: Loader = async () => (await import("./commands/role.ts")).ROLE_COMMANDS;

/** A command's code is loaded when it is called for. */
const COMMANDS: readonly (readonly [string, Loader])[] = [
  ["dev", async () => [(await import("./commands/dev.ts")).devCommand]],
  ["server", async () => [(await import("./commands/server.ts")).serverCommand]],
  ["status", async () => [(await import("./commands/status.ts")).statusCommand]],
  ["kms", async () => [(await import("./commands/kms.ts")).kmsCommand]],
  ["gateway", roles],
  ["metadata", roles],
  ["storage", roles],
  ["keeper", roles],
];

async function load(name: string): Promise<Command | undefined> {
  const loader = COMMANDS.find(([candidate]) => candidate === name)?.[1];
  const commands = loader === undefined ? [] : await loader();
  return commands.find((candidate) => candidate.name === name);
}

async function helpText(): Promise<string> {
  const lines = ["Usage: dolium COMMAND [OPTIONS]", "", "Commands:"];
  for (const [name] of COMMANDS) {
    lines.push(`  ${name.padEnd(10)} ${(await load(name))?.summary ?? ""}`);
  }
  lines.push("", "dolium COMMAND --help shows a command's options; dolium --version its version.");
  return `${lines.join("\n")}\n`;
}

async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === "help" || name === "--help" || name === "-h") {
    process.stdout.write(await helpText());
    return name === undefined ? 2 : 0;
  }
  if (name === "--version" || name === "version") {
    process.stdout.write(`dolium ${VERSION}, Node ${process.version}\n`);
    return 0;
  }
  const command = await load(name);
  if (command === undefined) throw new UsageError(`no command "${name}"; try dolium --help`);
  if (rest.includes("--help") || rest.includes("-h")) {
    process.stdout.write(commandHelp(command));
    return 0;
  }
  return command.run(parseCommand(command, rest));
}

const args = process.argv.slice(2);
try {
  process.exitCode = await main(args);
} catch (error) {
  const usage = error instanceof UsageError;
  const message = error instanceof Error ? error.message : String(error);
  reportFailure(args.includes("--json"), message, usage ? "usage" : "failed");
  if (!usage && process.env.DOLIUM_DEBUG !== undefined) process.stderr.write(`${String(error)}\n`);
  process.exitCode = usage ? 2 : 1;
}
// Sockets and timers of a command that ended must not keep the process.
process.exit();
