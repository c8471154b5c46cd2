// Fills the settings that nobody set, and says what is left to be checked. Compiling the whole
// schema of a process costs a fifth of its start, and almost every setting is at its default, which
// needs no check at run time: that defaults fit their schema is a test's business.
import type { SchemaNode } from "./config-environment.ts";

type Settings = Record<string, unknown>;

/** A schema that takes every value. */
const ANYTHING: SchemaNode = {};

/**
 * Puts plain defaults into `settings` (changed in place) wherever a property is missing. Returns
 * the schema for the result, in which what came from a default is free: it accepts `settings`
 * exactly when `schema` would, given that defaults fit. Defaults with content of their own stay to
 * the validator, which fills and checks what is inside.
 */
export function fillDefaults<S extends SchemaNode>(schema: S, settings: Settings): S {
  const remaining = Object.entries(schema.properties ?? {}).map(
    ([name, child]) => [name, remainder(name, child, settings)] as const,
  );
  return { ...schema, properties: Object.fromEntries(remaining) };
}

function remainder(name: string, child: SchemaNode, settings: Settings): SchemaNode {
  if (!Object.hasOwn(settings, name)) {
    if (!("default" in child) || !isPlain(child.default)) return child;
    settings[name] = structuredClone(child.default);
    if (child.properties === undefined) return ANYTHING;
  }
  const value = settings[name];
  return child.properties !== undefined && isRecord(value) ? fillDefaults(child, value) : child;
}

function isPlain(value: unknown): boolean {
  return typeof value !== "object" || value === null || Object.keys(value).length === 0;
}

function isRecord(value: unknown): value is Settings {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
