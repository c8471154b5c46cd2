// Every row of the operation table is tested by name, has its own file, and is named as AWS names
// it.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { OPERATIONS } from "../../services/gateway/operations.ts";
import { ROOT } from "./tree.ts";

function s3Tests(): string {
  const folder = join(ROOT, "test/s3");
  return readdirSync(folder)
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => readFileSync(join(folder, name), "utf8"))
    .join("\n");
}

function kebabCase(name: string): string {
  return name.replace(/(?<=[a-z0-9])(?=[A-Z])/g, "-").toLowerCase();
}

test("no action is without a test that names it", () => {
  const tests = s3Tests();
  const untested = OPERATIONS.map((operation) => operation.name).filter(
    (name) => !new RegExp(`\\b${name}\\b`).test(tests),
  );
  assert.deepEqual(untested, []);
});

test("every action has a file of its own", () => {
  const missing = OPERATIONS.map((operation) => operation.name).filter(
    (name) => !existsSync(join(ROOT, `services/gateway/actions/${kebabCase(name)}.ts`)),
  );
  assert.deepEqual(missing, []);
});
