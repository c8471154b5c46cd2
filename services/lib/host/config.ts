// Loads a service's settings: defaults of the schema, under a JSON file, under environment
// variables. The result fits the schema or nothing is returned: every problem is reported at once,
// with the setting's path and where its value came from. Unknown keys are problems, since a
// misspelt setting silently left at its default is the worst kind.
import { readFileSync } from "node:fs";
import { Ajv, type ErrorObject, type ValidateFunction } from "ajv";
import { StoreError } from "../base/errors.ts";
import type { Static, TSchema } from "../base/settings-schema.ts";
import { fillDefaults } from "./config-defaults.ts";
import {
  type Environment,
  type EnvironmentSetting,
  readEnvironment,
  type SchemaNode,
  variableName,
} from "./config-environment.ts";

export interface ConfigSources {
  /** A JSON file; none is read when left out. */
  readonly filePath?: string;
  readonly environment: Environment;
}

type Settings = Record<string, unknown>;

/**
 * `schema`: an object of lib/base/settings-schema; objects in it take no keys but their own unless
 * they say otherwise. Throws StoreError "invalid" whose message has one line for each problem.
 */
export function loadConfig<S extends TSchema>(schema: S, sources: ConfigSources): Static<S> {
  return createConfigLoader(schema)(sources);
}

/** `loadConfig` for who loads several times: what was compiled last is used again if it fits. */
export function createConfigLoader<S extends TSchema>(
  schema: S,
): (sources: ConfigSources) => Static<S> {
  const closed = closeObjects(schema);
  const compile = createCompiler<Static<S>>();
  return (sources) => load(closed, compile, sources);
}

type Compile<T> = (schema: SchemaNode) => ValidateFunction<T>;

/** Compiles a schema, unless it is that of the call before. */
function createCompiler<T>(): Compile<T> {
  let last: { readonly text: string; readonly validate: ValidateFunction<T> } | undefined;
  return (schema) => {
    const text = JSON.stringify(schema);
    if (last?.text === text) return last.validate;
    // Schemas are held against their own schema by a test, once; code that runs once is not worth
    // making short.
    const validate = new Ajv({
      allErrors: true,
      useDefaults: true,
      strict: true,
      allowUnionTypes: true,
      ownProperties: true,
      validateSchema: false,
      code: { optimize: false },
    }).compile<T>(schema);
    last = { text, validate };
    return validate;
  };
}

function load<T>(closed: SchemaNode & Settings, compile: Compile<T>, sources: ConfigSources): T {
  const problems: string[] = [];
  const settings = sources.filePath === undefined ? {} : readFile(sources.filePath, problems);
  const fromEnvironment = readEnvironment(closed, sources.environment);
  problems.push(...fromEnvironment.problems);
  for (const setting of fromEnvironment.settings) apply(settings, setting, problems);
  addObjects(closed, settings);
  const validate = compile(fillDefaults(closed, settings));
  const candidate: unknown = settings;
  const fits = validate(candidate);
  if (!fits) problems.push(...describe(validate.errors ?? [], closed, fromEnvironment.settings));
  if (!fits || problems.length > 0) {
    const lines = [...new Set(problems)].map((problem) => `- ${problem}`);
    throw new StoreError("invalid", `the configuration has problems:\n${lines.join("\n")}`);
  }
  return candidate;
}

/** A plain copy of the schema in which objects with named properties refuse other keys. */
function closeObjects(schema: TSchema): SchemaNode & Settings {
  const copy: unknown = JSON.parse(JSON.stringify(schema), (_key, value: unknown) => {
    const isOpen = isRecord(value) && value.type === "object" && isRecord(value.properties);
    return isOpen ? { additionalProperties: false, ...value } : value;
  });
  if (!isRecord(copy) || copy.type !== "object") {
    throw new StoreError("invalid", "a configuration schema describes an object");
  }
  return copy;
}

function readFile(path: string, problems: string[]): Settings {
  try {
    const content: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (isRecord(content)) return content;
    problems.push(`${path}: must hold a JSON object.`);
  } catch (error) {
    problems.push(`${path}: ${error instanceof Error ? error.message : String(error)}.`);
  }
  return {};
}

function isRecord(value: unknown): value is Settings {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Puts a value from the environment over that of the file. */
function apply(
  settings: Settings,
  { path, value, variable }: EnvironmentSetting,
  problems: string[],
): void {
  let target = settings;
  for (const name of path.slice(0, -1)) {
    const next = Object.hasOwn(target, name) ? target[name] : {};
    if (!isRecord(next)) {
      problems.push(`${variable}: the file has something else than an object at ${name}.`);
      return;
    }
    target[name] = next;
    target = next;
  }
  const last = path.at(-1);
  if (last !== undefined) target[last] = value;
}

/** Adds the objects that must be there, so that defaults inside them are found. */
function addObjects(schema: SchemaNode & Settings, settings: Settings): void {
  const required = Array.isArray(schema.required) ? schema.required : [];
  for (const [name, child] of Object.entries(schema.properties ?? {})) {
    if (child.properties === undefined) continue;
    if (!Object.hasOwn(settings, name) && required.includes(name) && !("default" in child)) {
      settings[name] = {};
    }
    const inner = Object.hasOwn(settings, name) ? settings[name] : undefined;
    if (isRecord(inner)) addObjects({ ...child }, inner);
  }
}

/** One sentence for each problem. Of a union only the whole is told, not each of its branches. */
function describe(
  errors: readonly ErrorObject[],
  schema: SchemaNode,
  settings: readonly EnvironmentSetting[],
): string[] {
  const unions = errors.filter(({ keyword }) => keyword === "anyOf");
  const inUnion = (error: ErrorObject): boolean =>
    error.keyword !== "anyOf" &&
    unions.some(({ schemaPath }) => error.schemaPath.startsWith(`${schemaPath}/`));
  return errors
    .filter((error) => !inUnion(error))
    .map((error) => sentence(error, schema, settings));
}

function sentence(
  error: ErrorObject,
  schema: SchemaNode,
  settings: readonly EnvironmentSetting[],
): string {
  const at = error.instancePath
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  if (error.keyword === "additionalProperties") {
    const key = String(error.params.additionalProperty);
    return `${dotted([...at, key])}: there is no such setting.${suggestion(schema, at, key)}`;
  }
  if (error.keyword === "required") {
    const path = [...at, String(error.params.missingProperty)];
    return `${dotted(path)}: must be set (or ${variableName(path)}).`;
  }
  const source = settings.find(({ path }) => dotted(path) === dotted(at))?.variable;
  const origin = source === undefined ? "" : ` (from ${source})`;
  return `${dotted(at)}: ${requirement(error, schema, at)}${origin}.`;
}

function requirement(error: ErrorObject, schema: SchemaNode, at: readonly string[]): string {
  const choices = nodeAt(schema, at)?.anyOf?.map((branch) => branch.const);
  if (error.keyword === "anyOf" && choices?.every((choice) => choice !== undefined) === true) {
    return `must be one of ${choices.map((choice) => JSON.stringify(choice)).join(", ")}`;
  }
  return error.message ?? `does not satisfy "${error.keyword}"`;
}

/** Names the setting that was probably meant: the same letters, differently written. */
function suggestion(schema: SchemaNode, at: readonly string[], key: string): string {
  const plain = (name: string): string => name.replace(/[^a-z0-9]/gi, "").toLowerCase();
  const names = Object.keys(nodeAt(schema, at)?.properties ?? {});
  const meant = names.find((name) => plain(name) === plain(key));
  return meant === undefined ? "" : ` Did you mean ${dotted([...at, meant])}?`;
}

function nodeAt(schema: SchemaNode, path: readonly string[]): SchemaNode | undefined {
  let node: SchemaNode | undefined = schema;
  for (const name of path) node = node?.properties?.[name] ?? node?.items;
  return node;
}

function dotted(path: readonly string[]): string {
  return path.length === 0 ? "(the whole)" : path.join(".");
}
