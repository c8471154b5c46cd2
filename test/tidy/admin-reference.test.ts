// docs/admin-api.md is what the table of the admin API says. DOLIUM_UPDATE_DOCS=1 writes it anew.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ADMIN_OPERATIONS } from "../../services/gateway/admin/operations.ts";
import { openApi } from "../../services/gateway/admin/reference/openapi.ts";
import { withReference } from "../../services/gateway/admin/reference/reference-operations.ts";
import { referencePage } from "../../services/gateway/admin/reference/reference-page.ts";
import { ROOT } from "./tree.ts";

const PAGE = join(ROOT, "docs/admin-api.md");

test("docs/admin-api.md lists the calls of the admin API as they are", () => {
  const page = referencePage(withReference(ADMIN_OPERATIONS));
  if (process.env.DOLIUM_UPDATE_DOCS === "1") writeFileSync(PAGE, page);
  assert.equal(readFileSync(PAGE, "utf8"), page);
});

test("names and paths of the admin API are unique", () => {
  const operations = withReference(ADMIN_OPERATIONS);
  const names = operations.map(({ name }) => name);
  assert.deepEqual(names, [...new Set(names)]);
  const paths = operations.map(({ method, path }) => `${method} ${path}`);
  assert.deepEqual(paths, [...new Set(paths)]);
});

test("the OpenAPI document names every call and every parameter of its path", () => {
  const operations = withReference(ADMIN_OPERATIONS);
  const text = JSON.stringify(openApi(operations, "1"));
  for (const { name, path } of operations) {
    assert.ok(text.includes(`"operationId":"${name}"`), name);
    assert.ok(text.includes(JSON.stringify(path)), path);
  }
});
