// Verbs of the command that call the admin API: options that all of them have, arguments by name,
// and one way to print what came back.
import process from "node:process";
import {
  type Command,
  type CommandArguments,
  command,
  type OptionTable,
  OUTPUT_OPTIONS,
  UsageError,
} from "../command-line.ts";
import { ExitCode } from "../exit-code.ts";
import { createOutput, type Output } from "../output.ts";
import { AdminClient } from "./admin-client.ts";
import { adminConnection } from "./connection.ts";

export const ADMIN_OPTIONS = {
  ...OUTPUT_OPTIONS,
  "admin-url": { kind: "text", value: "URL", help: "admin API (DOLIUM_ADMIN_URL)" },
  data: { kind: "text", value: "DIR", help: "data directory of a local cluster (DOLIUM_DATA)" },
} as const satisfies OptionTable;

type AllOptions<T extends OptionTable> = T & typeof ADMIN_OPTIONS;

export interface VerbCall<T extends OptionTable> {
  readonly client: AdminClient;
  readonly options: CommandArguments<AllOptions<T>>["options"];
  /** Arguments in the order of `positionals`; those that may be missing are "" then. */
  readonly words: readonly string[];
  readonly output: Output;
}

/** What a verb has to show: an object for --json, lines for people. */
export interface Shown {
  readonly value: unknown;
  readonly lines: readonly string[];
  readonly exitCode?: ExitCode;
}

export interface VerbSpec<T extends OptionTable> {
  readonly name: string;
  readonly summary: string;
  /** "NAME POLICY [DESCRIPTION]" */
  readonly positionals: string;
  readonly options: T;
  /** Undefined: it printed by itself. */
  readonly run: (call: VerbCall<T>) => Promise<Shown | undefined>;
}

export function adminVerb<T extends OptionTable>(spec: VerbSpec<T>): Command {
  const { name, summary, positionals } = spec;
  return command<AllOptions<T>>({
    name,
    summary,
    positionals,
    options: { ...ADMIN_OPTIONS, ...spec.options },
    run: async (parsed) => {
      const { options } = parsed;
      // Checked boundary: the table above has them with these types.
      const common = options as CommandArguments<typeof ADMIN_OPTIONS>["options"];
      const words = wordsOf(spec, parsed.positionals);
      const output = createOutput(common.json === true, common.quiet === true);
      const connection = await adminConnection(common, process.env);
      const client = new AdminClient(connection);
      const shown = await spec.run({ client, options, words, output });
      if (shown === undefined) return ExitCode.OK;
      if (output.json) process.stdout.write(`${JSON.stringify(shown.value)}\n`);
      else for (const line of shown.lines) output.say(line);
      return shown.exitCode ?? ExitCode.OK;
    },
  });
}

/** Throws UsageError when there are too few or too many. */
function wordsOf(
  { name, positionals }: { readonly name: string; readonly positionals: string },
  given: readonly string[],
): readonly string[] {
  const wanted = positionals === "" ? [] : positionals.split(" ");
  for (const [at, word] of wanted.entries()) {
    if (given[at] !== undefined || word.startsWith("[")) continue;
    throw new UsageError(`dolium ${name} wants ${positionals}`);
  }
  const extra = given[wanted.length];
  if (extra !== undefined) throw new UsageError(`dolium ${name} takes no argument "${extra}"`);
  return wanted.map((_, at) => given[at] ?? "");
}

/** Columns as wide as their widest cell. */
export function table(head: readonly string[], rows: readonly (readonly unknown[])[]): string[] {
  const all = [head, ...rows.map((row) => row.map(cellText))];
  const widths = head.map((_, at) => Math.max(...all.map((row) => (row[at] ?? "").length)));
  return all.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

/** Control characters would speak to the terminal. */
function cellText(value: unknown): string {
  const text = Array.isArray(value) ? value.join(",") : String(value ?? "-");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is escaped
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, "?");
}
