// Settings from file, environment and defaults, and every way to get them wrong.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { type Static, Type } from "typebox";
import { isStoreError } from "../../../services/lib/base/errors.ts";
import type { TSchema } from "../../../services/lib/base/settings-schema.ts";
import { loadConfig } from "../../../services/lib/host/config.ts";
import { variableName } from "../../../services/lib/host/config-environment.ts";

const root = mkdtempSync(join(tmpdir(), "dolium-config-"));
after(() => rmSync(root, { recursive: true, force: true }));

const built = Type.Object({
  region: Type.String({ default: "us-east-1", minLength: 1 }),
  lifecycle: Type.Object({
    daySeconds: Type.Integer({ default: 86_400, minimum: 1 }),
    factor: Type.Number({ default: 1.5 }),
  }),
  auth: Type.Object({
    tokens: Type.Object({ enabled: Type.Boolean({ default: false }) }),
    secret: Type.Optional(Type.String({ minLength: 8 })),
    keyFile: Type.Optional(Type.String()),
  }),
  mode: Type.Union([Type.Literal("fast"), Type.Literal("safe")], { default: "safe" }),
  peers: Type.Array(Type.String(), { default: [] }),
  weights: Type.Record(Type.String(), Type.Number(), { default: {} }),
  node: Type.Object({ id: Type.String() }),
  backup: Type.Optional(Type.Object({ path: Type.String(), keep: Type.Integer({ default: 7 }) })),
});
/** The keywords are JSON Schema's, whoever writes them down. */
const schema: TSchema<Static<typeof built>> = built;

function file(name: string, content: unknown): string {
  const path = join(root, name);
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

/** The problems that loading reports, one a line. */
function problemsOf(content: unknown, environment: Record<string, string> = {}): string[] {
  try {
    loadConfig(schema, { filePath: file("bad.json", content), environment });
  } catch (error) {
    assert.ok(isStoreError(error, "invalid"), String(error));
    return error.message.split("\n- ").slice(1);
  }
  return assert.fail("the configuration was accepted");
}

test("defaults fill what file and environment leave out", () => {
  const config = loadConfig(schema, { environment: { DOLIUM_NODE__ID: "n1", HOME: "/root" } });
  assert.deepEqual(config, {
    region: "us-east-1",
    lifecycle: { daySeconds: 86_400, factor: 1.5 },
    auth: { tokens: { enabled: false } },
    mode: "safe",
    peers: [],
    weights: {},
    node: { id: "n1" },
  });
});

test("the environment goes over the file, the file over defaults", () => {
  const filePath = file("good.json", {
    node: { id: "from-file" },
    lifecycle: { daySeconds: 10, factor: 2 },
    backup: { path: "/b" },
    weights: { a: 1 },
  });
  const config = loadConfig(schema, {
    filePath,
    environment: {
      DOLIUM_LIFECYCLE__DAY_SECONDS: "20",
      DOLIUM_AUTH__TOKENS__ENABLED: "true",
      DOLIUM_MODE: "fast",
      DOLIUM_PEERS: "a:1, b:2",
      DOLIUM_WEIGHTS: '{"b":2.5}',
      DOLIUM_REGION: "",
      DOLIUM_ROOT_USER: "not a setting, and nobody's business here",
    },
  });
  assert.deepEqual(config.lifecycle, { daySeconds: 20, factor: 2 });
  assert.equal(config.auth.tokens.enabled, true);
  assert.equal(config.mode, "fast");
  assert.deepEqual(config.peers, ["a:1", "b:2"]);
  assert.deepEqual(config.weights, { b: 2.5 });
  assert.deepEqual(config.backup, { path: "/b", keep: 7 });
  assert.equal(config.node.id, "from-file");
  assert.equal(config.region, "us-east-1");
  const listed = { DOLIUM_NODE__ID: "n", DOLIUM_PEERS: '["x,y"]' };
  assert.deepEqual(loadConfig(schema, { environment: listed }).peers, ["x,y"]);
});

test("secrets come from files, named by _FILE", () => {
  const secret = file("secret", "long enough\n");
  const environment = {
    DOLIUM_NODE__ID: "n",
    DOLIUM_AUTH__SECRET_FILE: secret,
    DOLIUM_AUTH__KEY_FILE: "/path/of/its/own",
  };
  const config = loadConfig(schema, { environment });
  assert.equal(config.auth.secret, "long enough");
  assert.equal(config.auth.keyFile, "/path/of/its/own");
  const both = problemsOf(
    { node: { id: "n" } },
    { ...environment, DOLIUM_AUTH__SECRET: "12345678" },
  );
  assert.match(both.join(), /DOLIUM_AUTH__SECRET_FILE: .*only one/);
  const missing = { DOLIUM_AUTH__SECRET_FILE: join(root, "nowhere") };
  assert.match(problemsOf({ node: { id: "n" } }, missing).join(), /cannot read.*ENOENT/);
  const number = { DOLIUM_LIFECYCLE__DAY_SECONDS_FILE: secret };
  assert.match(problemsOf({ node: { id: "n" } }, number).join(), /no such setting/);
});

test("every problem is reported, with its path and origin", () => {
  const problems = problemsOf(
    {
      regoin: "x",
      lifecycle: { dayseconds: 1, factor: "2" },
      mode: "quick",
      auth: { tokens: { enabled: "true" } },
      backup: {},
    },
    { DOLIUM_LIFECYCLE__DAY_SECONDS: "0", DOLIUM_TYPO__KEY: "1", DOLIUM_AUTH__SECRET: "short" },
  );
  assert.deepEqual(problems.toSorted(), [
    "DOLIUM_TYPO__KEY: there is no such setting.",
    "auth.secret: must NOT have fewer than 8 characters (from DOLIUM_AUTH__SECRET).",
    "auth.tokens.enabled: must be boolean.",
    "backup.path: must be set (or DOLIUM_BACKUP__PATH).",
    "lifecycle.daySeconds: must be >= 1 (from DOLIUM_LIFECYCLE__DAY_SECONDS).",
    "lifecycle.dayseconds: there is no such setting. Did you mean lifecycle.daySeconds?",
    "lifecycle.factor: must be number.",
    'mode: must be one of "fast", "safe".',
    "node.id: must be set (or DOLIUM_NODE__ID).",
    "regoin: there is no such setting.",
  ]);
});

test("text that is no number or truth value is refused without repeating it", () => {
  const environment = {
    DOLIUM_NODE__ID: "n",
    DOLIUM_LIFECYCLE__DAY_SECONDS: "1e3x",
    DOLIUM_LIFECYCLE__FACTOR: "0x10",
    DOLIUM_AUTH__TOKENS__ENABLED: "yes",
    DOLIUM_WEIGHTS: "{canary",
  };
  const problems = problemsOf({}, environment);
  assert.equal(problems.length, 4);
  for (const text of ["1e3x", "0x10", "yes", "canary"]) {
    assert.ok(!problems.join().includes(text), text);
  }
});

test("files that are missing or no JSON object are refused", () => {
  const load = (filePath: string) => () => loadConfig(schema, { filePath, environment: {} });
  assert.throws(load(join(root, "none.json")), /none\.json: .*ENOENT/);
  assert.throws(load(file("text.json", "{nonsense")), /text\.json: /);
  assert.throws(load(file("list.json", [1])), /list\.json: must hold a JSON object/);
  assert.match(problemsOf('{"node":{"id":"n"},"__proto__":{"x":1}}').join(), /__proto__/);
  assert.match(problemsOf({ node: 5 }, { DOLIUM_NODE__ID: "n" }).join(), /DOLIUM_NODE__ID/);
});

test("names of variables follow the path", () => {
  assert.equal(variableName(["lifecycle", "daySeconds"]), "DOLIUM_LIFECYCLE__DAY_SECONDS");
  assert.equal(variableName(["s3Url"]), "DOLIUM_S3_URL");
});
