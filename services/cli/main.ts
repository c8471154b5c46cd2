// The `dolium` command: finds the subcommand, parses its options, runs it. Exit codes: see
// exit-code.ts.
import process from "node:process";
import { commandHelp, findVerb, groupHelp, parseCommand, UsageError } from "./command-line.ts";
import { COMMAND_TABLE, isGroup } from "./command-table.ts";
import { ExitCode, failureOf } from "./exit-code.ts";
import { reportFailure } from "./output.ts";
import { VERSION } from "./version.ts";

async function helpText(): Promise<string> {
  const lines = ["Usage: dolium COMMAND [OPTIONS]", "", "Commands:"];
  for (const { name, load } of COMMAND_TABLE) {
    lines.push(`  ${name.padEnd(10)} ${(await load()).summary}`);
  }
  lines.push("", "dolium COMMAND --help shows a command's options; dolium --version its version.");
  return `${lines.join("\n")}\n`;
}

function asksForHelp(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  const options = end === -1 ? args : args.slice(0, end);
  return options.includes("--help") || options.includes("-h");
}

async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === "help" || name === "--help" || name === "-h") {
    process.stdout.write(await helpText());
    return name === undefined ? ExitCode.USAGE : ExitCode.OK;
  }
  if (name === "--version" || name === "version") {
    process.stdout.write(`dolium ${VERSION}, Node ${process.version}\n`);
    return ExitCode.OK;
  }
  const row = COMMAND_TABLE.find((candidate) => candidate.name === name);
  if (row === undefined) throw new UsageError(`no command "${name}"; try dolium --help`);
  const entry = await row.load();
  if (isGroup(entry)) {
    const first = rest.find((word) => !word.startsWith("-"));
    if (first === undefined && asksForHelp(rest)) {
      process.stdout.write(groupHelp(entry));
      return ExitCode.OK;
    }
    const found = findVerb(entry, rest);
    return runCommand(found.verb, found.rest);
  }
  return runCommand(entry, rest);
}

async function runCommand(
  command: Parameters<typeof parseCommand>[0],
  args: readonly string[],
): Promise<number> {
  if (asksForHelp(args)) {
    process.stdout.write(commandHelp(command));
    return ExitCode.OK;
  }
  return command.run(parseCommand(command, args));
}

/** A pipe may lag behind: what was printed leaves before the process ends, or its reader went. */
function flushed(stream: NodeJS.WriteStream): Promise<void> {
  if (stream.writableLength === 0) return Promise.resolve();
  return new Promise((resolve) => {
    stream.once("error", () => resolve());
    stream.write("", () => resolve());
  });
}

/** The first process of a container ignores signals that it does not listen for. */
function endBySignals(): void {
  for (const [signal, code] of [["SIGINT", 130] as const, ["SIGTERM", 143] as const]) {
    process.on(signal, () => {
      if (process.listenerCount(signal) === 1) process.exit(code);
    });
  }
}

if (process.pid === 1) endBySignals();
const args = process.argv.slice(2);
try {
  process.exitCode = await main(args);
} catch (error) {
  const { exitCode, code, message } = failureOf(error);
  reportFailure(args.includes("--json"), message, code);
  const isUsage = exitCode === ExitCode.USAGE;
  if (!isUsage && process.env.DOLIUM_DEBUG !== undefined) {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? "") : String(error)}\n`);
  }
  process.exitCode = exitCode;
}
await Promise.all([process.stdout, process.stderr].map(flushed));
// Sockets and timers of a command that ended must not keep the process.
process.exit();
