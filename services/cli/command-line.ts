// Parses command lines by a table of options, on node:util parseArgs. Unknown options, missing
// values and numbers out of bounds are usage errors: exit code 2 and a sentence. A command stands
// alone (`dolium status`) or is a verb of a noun (`dolium user create`).
import { parseArgs } from "node:util";

export class UsageError extends Error {
  override readonly name = "UsageError";
}

export type OptionSpec =
  | { readonly kind: "flag"; readonly help: string; readonly short?: string }
  | {
      readonly kind: "text";
      readonly help: string;
      readonly value: string;
      readonly short?: string;
    }
  /** May be given several times; never with commas inside one value. */
  | {
      readonly kind: "list";
      readonly help: string;
      readonly value: string;
      readonly short?: string;
    }
  | {
      readonly kind: "number";
      readonly help: string;
      readonly value: string;
      readonly minimum: number;
      readonly maximum: number;
      readonly short?: string;
    };

export type OptionTable = Readonly<Record<string, OptionSpec>>;

type Parsed<T extends OptionTable> = {
  readonly [K in keyof T]?: T[K]["kind"] extends "flag"
    ? boolean
    : T[K]["kind"] extends "number"
      ? number
      : T[K]["kind"] extends "list"
        ? readonly string[]
        : string;
};

export type OptionValue = boolean | number | string | readonly string[];

/** One option as it stood on the command line, for commands to which their order matters. */
export interface GivenOption {
  readonly name: string;
  /** Undefined for a flag. */
  readonly value: string | undefined;
}

export interface CommandArguments<T extends OptionTable> {
  readonly options: Parsed<T>;
  readonly positionals: readonly string[];
  readonly given?: readonly GivenOption[];
}

/** What the parser hands to a command whose precise option types it does not know. */
export interface ParsedArguments {
  readonly options: Readonly<Record<string, OptionValue | undefined>>;
  readonly positionals: readonly string[];
  readonly given?: readonly GivenOption[];
}

export interface CommandSpec<T extends OptionTable> {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** Positional arguments as the usage line shows them; empty when there are none. */
  readonly positionals: string;
  readonly options: T;
  /** Resolves with the exit code. */
  readonly run: (parsed: CommandArguments<T>) => Promise<number>;
}

export interface Command extends Omit<CommandSpec<OptionTable>, "run"> {
  readonly run: (parsed: ParsedArguments) => Promise<number>;
}

/** A noun and its verbs: `dolium user create`. The verbs' names are the whole "user create". */
export interface CommandGroup {
  readonly name: string;
  readonly summary: string;
  readonly verbs: readonly Command[];
}

/** What every command that prints results understands. */
export const OUTPUT_OPTIONS = {
  json: { kind: "flag", help: "print JSON: one object, or one a line; errors too" },
  quiet: { kind: "flag", short: "q", help: "print nothing but errors" },
} as const satisfies OptionTable;

/** For acts that destroy: without it the name is asked for, and a script is refused. */
export const YES_OPTION = {
  yes: { kind: "flag", help: "do it without asking" },
} as const satisfies OptionTable;

/** Ties a command's options to its `run`; the result forgets the precise type. */
export function command<T extends OptionTable>(spec: CommandSpec<T>): Command {
  return {
    ...spec,
    // Checked boundary: parseCommand fills the options by this very table.
    run: (parsed) => spec.run(parsed as CommandArguments<T>),
  };
}

/** Throws UsageError. */
export function parseCommand(spec: Command, args: readonly string[]): ParsedArguments {
  const options: Record<string, RawOption> = {};
  for (const [name, option] of Object.entries(spec.options)) {
    options[name] = {
      type: option.kind === "flag" ? "boolean" : "string",
      multiple: option.kind === "list",
      ...(option.short === undefined ? {} : { short: option.short }),
    };
  }
  const raw = parseRaw(spec, args, options);
  if (spec.positionals === "" && raw.positionals.length > 0) {
    throw new UsageError(`dolium ${spec.name} takes no argument "${raw.positionals[0]}"`);
  }
  const values = new Map<string, OptionValue>();
  for (const [name, option] of Object.entries(spec.options)) {
    const given = raw.values[name];
    if (given !== undefined) values.set(name, optionValue(name, option, given));
  }
  return { options: Object.fromEntries(values), positionals: raw.positionals, given: raw.given };
}

interface RawOption {
  readonly type: "boolean" | "string";
  readonly multiple: boolean;
  readonly short?: string;
}

type RawValue = string | boolean | readonly (string | boolean)[];

function parseRaw(
  spec: Command,
  args: readonly string[],
  options: Record<string, RawOption>,
): { values: Record<string, RawValue | undefined>; positionals: string[]; given: GivenOption[] } {
  try {
    const { values, positionals, tokens } = parseArgs({
      args: [...args],
      options,
      allowPositionals: true,
      strict: true,
      tokens: true,
    });
    const given = tokens.flatMap((token): GivenOption[] =>
      token.kind === "option" ? [{ name: token.name, value: token.value }] : [],
    );
    return { values: { ...values }, positionals, given };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new UsageError(`dolium ${spec.name}: ${message}`, { cause: error });
  }
}

function optionValue(name: string, option: OptionSpec, given: RawValue): OptionValue {
  if (typeof given === "object") return given.map(String);
  if (option.kind !== "number" || typeof given !== "string") return given;
  const value = /^[0-9]{1,15}$/.test(given) ? Number(given) : Number.NaN;
  if (!(value >= option.minimum && value <= option.maximum)) {
    throw new UsageError(
      `--${name} wants a whole number from ${option.minimum} to ${option.maximum}, not "${given}"`,
    );
  }
  return value;
}

/** The help page of one command. */
export function commandHelp(spec: Command): string {
  const lines = [`Usage: dolium ${spec.name} ${spec.positionals}`.trimEnd(), "", spec.summary, ""];
  for (const [name, option] of Object.entries(spec.options)) {
    const short = option.short === undefined ? "" : `-${option.short}, `;
    const value = option.kind === "flag" ? "" : ` ${option.value}`;
    const more = option.kind === "list" ? " (may be repeated)" : "";
    lines.push(`  ${`${short}--${name}${value}`.padEnd(26)} ${option.help}${more}`);
  }
  return `${lines.join("\n")}\n`;
}

/** The help page of a noun: its verbs. */
export function groupHelp(group: CommandGroup): string {
  const lines = [`Usage: dolium ${group.name} VERB [OPTIONS]`, "", group.summary, ""];
  for (const { name, positionals, summary } of group.verbs) {
    const call = `${name.slice(group.name.length + 1)} ${positionals}`.trimEnd();
    lines.push(`  ${call.padEnd(34)} ${summary}`);
  }
  lines.push("", `dolium ${group.name} VERB --help shows a verb's options.`);
  return `${lines.join("\n")}\n`;
}

/**
 * The verb that `args` begin with, and what follows it. A verb may be of several words ("key
 * create"); the longest that fits wins. Throws UsageError.
 */
export function findVerb(
  group: CommandGroup,
  args: readonly string[],
): { readonly verb: Command; readonly rest: readonly string[] } {
  let found: { verb: Command; words: number } | undefined;
  for (const verb of group.verbs) {
    const words = verb.name.split(" ").slice(1);
    const fits = words.every((word, at) => args[at] === word);
    if (fits && words.length > (found?.words ?? 0)) found = { verb, words: words.length };
  }
  if (found !== undefined) return { verb: found.verb, rest: args.slice(found.words) };
  const given = args.find((word) => !word.startsWith("-"));
  const problem = given === undefined ? "needs a verb" : `has no verb "${given}"`;
  throw new UsageError(`dolium ${group.name} ${problem}; try dolium ${group.name} --help`);
}
