// The reference of the command, docs/reference/cli.md, and its manual page, from the command table:
// they say what `--help` says.
import type { Command, CommandGroup, OptionSpec } from "../command-line.ts";
import { COMMAND_TABLE, type CommandEntry, isGroup } from "../command-table.ts";
import { ExitCode } from "../exit-code.ts";

const INTRODUCTION = `# Commands and options

<!-- Generated: DOLIUM_UPDATE_DOCS=1 node --test test/tidy/cli-reference.test.ts -->

Every command, verb and option, as \`dolium COMMAND --help\` tells them. Examples and what the commands do in detail
are in [the command](../cli.md). The same as a manual page: [dolium.1](dolium.1).
`;

/** Exit codes by their names in the code, as the pages explain them. */
const EXIT_CODES: Readonly<Record<keyof typeof ExitCode, string>> = {
  OK: "done",
  FAILED: "failed, or failed in part",
  USAGE: "the call or the configuration is wrong",
  NOT_FOUND: "what was named is not there",
  DENIED: "not allowed",
  UNAVAILABLE: "nothing answered, or not in time",
};

export async function commandEntries(): Promise<CommandEntry[]> {
  const entries: CommandEntry[] = [];
  for (const { load } of COMMAND_TABLE) entries.push(await load());
  return entries;
}

export function commandPage(entries: readonly CommandEntry[]): string {
  const codes = exitCodes().map(([code, meaning]) => `| ${code} | ${meaning} |`);
  return [
    INTRODUCTION,
    "## Exit codes\n",
    "| code | meaning |",
    "| --- | --- |",
    ...codes,
    ...entries.map((entry) => (isGroup(entry) ? groupText(entry) : commandText(entry, "##"))),
    "",
  ].join("\n");
}

/** roff of man(7): section 1. */
export function manualPage(entries: readonly CommandEntry[]): string {
  const commands = entries.flatMap((entry) => (isGroup(entry) ? [...entry.verbs] : [entry]));
  return [
    '.TH DOLIUM 1 "" "dolium" "Dolium"',
    ".SH NAME",
    "dolium \\- runs, administers and uses an S3\\-compatible object store",
    ".SH SYNOPSIS",
    ".B dolium",
    "\\fICOMMAND\\fR [\\fIOPTIONS\\fR]",
    ".SH COMMANDS",
    ...commands.flatMap(commandRoff),
    ".SH EXIT STATUS",
    ...exitCodes().flatMap(([code, meaning]) => [".TP", `.B ${code}`, roff(meaning)]),
    "",
  ].join("\n");
}

function exitCodes(): [number, string][] {
  const known: readonly (keyof typeof ExitCode)[] = [
    "OK",
    "FAILED",
    "USAGE",
    "NOT_FOUND",
    "DENIED",
    "UNAVAILABLE",
  ];
  return known.map((name) => [ExitCode[name], EXIT_CODES[name]]);
}

function groupText(group: CommandGroup): string {
  const verbs = group.verbs.map((verb) => commandText(verb, "###"));
  return [`\n## ${group.name}\n`, prose(group.summary), ...verbs].join("\n");
}

function commandText(command: Command, level: string): string {
  const usage = `dolium ${command.name} ${command.positionals}`.trimEnd();
  const rows = Object.entries(command.options).map(
    ([name, option]) => `| \`${optionText(name, option)}\` | ${cell(optionHelp(option))} |`,
  );
  const table = rows.length === 0 ? [] : ["\n| option | meaning |", "| --- | --- |", ...rows];
  return [`\n${level} ${command.name}\n`, `    ${usage}\n`, prose(command.summary), ...table].join(
    "\n",
  );
}

function commandRoff(command: Command): string[] {
  const usage = `${command.name} ${command.positionals}`.trimEnd();
  const options = Object.entries(command.options).flatMap(([name, option]) => [
    ".TP",
    `.B ${roff(optionText(name, option))}`,
    roff(optionHelp(option)),
  ]);
  return [`.SS dolium ${roff(usage)}`, roff(command.summary), ...options];
}

function optionText(name: string, option: OptionSpec): string {
  const short = option.short === undefined ? "" : `-${option.short}, `;
  return `${short}--${name}${option.kind === "flag" ? "" : ` ${option.value}`}`;
}

function optionHelp(option: OptionSpec): string {
  if (option.kind === "list") return `${option.help} (may be repeated)`;
  if (option.kind !== "number") return option.help;
  return `${option.help} (${option.minimum} to ${option.maximum})`;
}

function cell(text: string): string {
  return prose(text).replaceAll("|", "\\|");
}

/** Pointed brackets and stars of help texts are no markup. */
function prose(text: string): string {
  return text.replace(/[<>*_[\]]/g, "\\$&");
}

function roff(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replace(/^([.'])/, "\\&$1");
}
