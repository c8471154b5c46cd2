// The schema of all settings is a schema, its defaults fit it, and a check that leaves defaults out
// says the same as a check of everything.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Ajv, type ErrorObject } from "ajv";
import fc from "fast-check";
import { ConfigSchema } from "../../../services/cli/config-schema.ts";
import { fillDefaults } from "../../../services/lib/host/config-defaults.ts";
import type { SchemaNode } from "../../../services/lib/host/config-environment.ts";

const RUNS = 25;
const OPTIONS = {
  allErrors: true,
  useDefaults: true,
  strict: true,
  allowUnionTypes: true,
  ownProperties: true,
} as const;
const validateWhole = new Ajv(OPTIONS).compile(ConfigSchema);

type Settings = Record<string, unknown>;

/** Paths of all settings, objects with settings of their own among them. */
function pathsOf(node: SchemaNode, path: readonly string[] = []): (readonly string[])[] {
  const inner = Object.entries(node.properties ?? {}).flatMap(([name, child]) =>
    pathsOf(child, [...path, name]),
  );
  return path.length === 0 ? inner : [path, ...inner];
}

/** Sets what lies at a path, unless something else than an object is on the way there. */
function put(settings: Settings, [name = "", ...rest]: readonly string[], value: unknown): void {
  if (rest.length === 0) {
    settings[name] = structuredClone(value);
    return;
  }
  settings[name] ??= {};
  const next = settings[name];
  if (typeof next === "object" && next !== null) put(next as Settings, rest, value);
}

const named = (errors: readonly ErrorObject[] | null | undefined): string[] =>
  (errors ?? [])
    .map(({ instancePath, keyword, params }) => `${instancePath} ${keyword} ${format(params)}`)
    .sort();
const format = (params: unknown): string => JSON.stringify(params);

test("nothing set: every default fits", () => {
  const settings = {};
  assert.ok(validateWhole(settings), JSON.stringify(validateWhole.errors));
  const filled: Settings = {};
  const left = fillDefaults(ConfigSchema, filled);
  assert.ok(new Ajv(OPTIONS).compile(left)(filled));
  assert.deepEqual(filled, settings);
});

test("what is set is checked, and filled, as by the whole schema", () => {
  const value = fc.oneof(
    fc.constantFrom<unknown>(0, 1, -1, 1.5, 65_536, 1e12, "", "x", "main", true, false, null),
    fc.constantFrom<unknown>([], {}, [""], [{}], [{ name: "a" }], { other: 1 }),
  );
  const change = fc.record({ path: fc.constantFrom(...pathsOf(ConfigSchema)), value });
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
      const whole: Settings = {};
      for (const { path, value: given } of changes) put(whole, path, given);
      const partial = structuredClone(whole);
      const validatePart = new Ajv(OPTIONS).compile(fillDefaults(ConfigSchema, partial));
      const fits = validatePart(partial);
      assert.equal(fits, validateWhole(whole), format(changes));
      assert.deepEqual(named(validatePart.errors), named(validateWhole.errors));
      if (fits) assert.deepEqual(partial, whole);
    }),
    { numRuns: RUNS },
  );
});
