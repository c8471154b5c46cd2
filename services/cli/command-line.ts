// Parses command lines by a table of options, on node:util parseArgs. Unknown options, missing
// values and numbers out of bounds are usage errors: exit code 2 and a sentence.
import { parseArgs } from "node:util";

export class UsageError extends Error {
  override readonly name = "UsageError";
}

export type OptionSpec =
  | { readonly kind: "flag"; readonly help: string }
  | { readonly kind: "text"; readonly help: string; readonly value: string }
  | {
      readonly kind: "number";
      readonly help: string;
      readonly value: string;
      readonly minimum: number;
      readonly maximum: number;
    };

export type OptionTable = Readonly<Record<string, OptionSpec>>;

type Parsed<T extends OptionTable> = {
  readonly [K in keyof T]?: T[K]["kind"] extends "flag"
    ? boolean
    : T[K]["kind"] extends "number"
      ? number
      : string;
};

export interface CommandArguments<T extends OptionTable> {
  readonly options: Parsed<T>;
  readonly positionals: readonly string[];
}

/** What the parser hands to a command whose precise option types it does not know. */
export interface ParsedArguments {
  readonly options: Readonly<Record<string, boolean | number | string | undefined>>;
  readonly positionals: readonly string[];
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
  const options: Record<string, { type: "boolean" | "string" }> = {};
  for (const [name, option] of Object.entries(spec.options)) {
    options[name] = { type: option.kind === "flag" ? "boolean" : "string" };
  }
  const raw = parseRaw(spec, args, options);
  if (spec.positionals === "" && raw.positionals.length > 0) {
    throw new UsageError(`dolium ${spec.name} takes no argument "${raw.positionals[0]}"`);
  }
  const values = new Map<string, boolean | number | string>();
  for (const [name, option] of Object.entries(spec.options)) {
    const given = raw.values[name];
    if (given !== undefined) values.set(name, optionValue(name, option, given));
  }
  return { options: Object.fromEntries(values), positionals: raw.positionals };
}

function parseRaw(
  spec: Command,
  args: readonly string[],
  options: Record<string, { type: "boolean" | "string" }>,
): { values: Record<string, string | boolean | undefined>; positionals: string[] } {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options,
      allowPositionals: true,
      strict: true,
    });
    return { values: { ...values }, positionals };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new UsageError(`dolium ${spec.name}: ${message}`, { cause: error });
  }
}

function optionValue(
  name: string,
  option: OptionSpec,
  given: string | boolean,
): boolean | number | string {
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
    const label = option.kind === "flag" ? `--${name}` : `--${name} ${option.value}`;
    lines.push(`  ${label.padEnd(26)} ${option.help}`);
  }
  return `${lines.join("\n")}\n`;
}
