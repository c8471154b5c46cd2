// Settings from environment variables: `lifecycle.daySeconds` is DOLIUM_LIFECYCLE__DAY_SECONDS. The
// schema says which names exist and what their text means; values are never repeated in messages.
// An empty variable counts as not set.
import { readFileSync } from "node:fs";
import { systemCode } from "./system-error.ts";

const PREFIX = "DOLIUM_";
const FILE_SUFFIX = "_FILE";

/** As much of JSON schema as settings use. */
export interface SchemaNode {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
  readonly const?: unknown;
  readonly default?: unknown;
}

export type Environment = Readonly<Record<string, string | undefined>>;

export interface EnvironmentSetting {
  /** Property names from the root. */
  readonly path: readonly string[];
  readonly value: unknown;
  /** The variable it came from. */
  readonly variable: string;
}

export interface EnvironmentReading {
  readonly settings: readonly EnvironmentSetting[];
  readonly problems: readonly string[];
}

interface Leaf {
  readonly path: readonly string[];
  readonly schema: SchemaNode;
}

/**
 * Reads every variable that the schema names, and reports what cannot be read, and variables with
 * `__` in their name that no setting has.
 */
export function readEnvironment(schema: SchemaNode, environment: Environment): EnvironmentReading {
  const leaves = new Map<string, Leaf>();
  collectLeaves(schema, [], leaves);
  const settings: EnvironmentSetting[] = [];
  const problems: string[] = [];
  for (const [variable, text] of Object.entries(environment).sort(byName)) {
    if (text === undefined || text === "" || !variable.startsWith(PREFIX)) continue;
    const found = findLeaf(variable, leaves);
    if (found === undefined) {
      if (variable.includes("__")) problems.push(`${variable}: there is no such setting.`);
      continue;
    }
    const { leaf, fromFile, name } = found;
    if (fromFile && (environment[name] ?? "") !== "") {
      problems.push(`${variable}: ${name} is set as well; set only one of them.`);
      continue;
    }
    try {
      const content = fromFile ? readSecret(text) : text;
      settings.push({ path: leaf.path, value: parse(content, leaf.schema), variable });
    } catch (error) {
      problems.push(`${variable}: ${error instanceof Error ? error.message : String(error)}.`);
    }
  }
  return { settings, problems };
}

/** "lifecycle", "daySeconds" to DOLIUM_LIFECYCLE__DAY_SECONDS. */
export function variableName(path: readonly string[]): string {
  return PREFIX + path.map(upperSnake).join("__");
}

function upperSnake(name: string): string {
  return name.replace(/([a-z0-9])([A-Z])/g, "$1_$2").toUpperCase();
}

function byName([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : 1;
}

function collectLeaves(
  schema: SchemaNode,
  path: readonly string[],
  leaves: Map<string, Leaf>,
): void {
  if (schema.properties === undefined) {
    if (path.length > 0) leaves.set(variableName(path), { path, schema });
    return;
  }
  for (const [name, child] of Object.entries(schema.properties)) {
    collectLeaves(child, [...path, name], leaves);
  }
}

/** A setting's own name comes before reading another's name as that of a file. */
function findLeaf(
  variable: string,
  leaves: ReadonlyMap<string, Leaf>,
): { leaf: Leaf; fromFile: boolean; name: string } | undefined {
  const direct = leaves.get(variable);
  if (direct !== undefined) return { leaf: direct, fromFile: false, name: variable };
  if (!variable.endsWith(FILE_SUFFIX)) return undefined;
  const name = variable.slice(0, -FILE_SUFFIX.length);
  const leaf = leaves.get(name);
  const isText = leaf !== undefined && kindsOf(leaf.schema).includes("string");
  return isText ? { leaf, fromFile: true, name } : undefined;
}

/** The file's text without the line ends that editors and `echo` put last. */
function readSecret(path: string): string {
  try {
    return readFileSync(path, "utf8").replace(/[\r\n]+$/, "");
  } catch (error) {
    throw new Error(`cannot read the file it names (${systemCode(error) ?? "unknown reason"})`);
  }
}

function kindsOf(schema: SchemaNode): readonly string[] {
  if (schema.anyOf !== undefined) return schema.anyOf.flatMap(kindsOf);
  if (schema.type !== undefined) return [schema.type];
  return schema.const === undefined ? [] : [typeof schema.const];
}

/** The text as the first kind that the schema allows and the text fits; throws when none does. */
function parse(text: string, schema: SchemaNode): unknown {
  const kinds = kindsOf(schema);
  const isNumber = kinds.includes("number") || kinds.includes("integer");
  if (isNumber && /^-?[0-9]+(\.[0-9]+)?$/.test(text)) return Number(text);
  if (kinds.includes("boolean") && (text === "true" || text === "false")) return text === "true";
  if (kinds.includes("array") && !/^\s*\[/.test(text)) return parseItems(text, schema);
  if (kinds.includes("string")) return text;
  if (kinds.includes("array") || kinds.includes("object")) return parseJson(text);
  throw new Error(`must be ${isNumber ? "a number in decimal digits" : "true or false"}`);
}

function parseItems(text: string, schema: SchemaNode): unknown[] {
  const items = schema.items ?? schema.anyOf?.find(({ type }) => type === "array")?.items;
  return text.split(",").map((item) => parse(item.trim(), items ?? { type: "string" }));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error("must be JSON");
  }
}
