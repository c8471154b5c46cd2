// docs/reference/ is what the settings' schema and the command table say. DOLIUM_UPDATE_DOCS=1
// writes it anew.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ConfigSchema } from "../../services/cli/config-schema.ts";
import {
  commandEntries,
  commandPage,
  manualPage,
} from "../../services/cli/reference/command-page.ts";
import { configurationPage, settingRows } from "../../services/cli/reference/configuration-page.ts";
import { ROOT } from "./tree.ts";

const FOLDER = join(ROOT, "docs/reference");

function assertUpToDate(name: string, content: string): void {
  if (process.env.DOLIUM_UPDATE_DOCS === "1") {
    mkdirSync(FOLDER, { recursive: true });
    writeFileSync(join(FOLDER, name), content);
  }
  assert.equal(readFileSync(join(FOLDER, name), "utf8"), content);
}

test("docs/reference/configuration.md has every setting as the schema has it", () => {
  assertUpToDate("configuration.md", configurationPage(ConfigSchema));
});

test("every setting says what it means", () => {
  const silent = settingRows(ConfigSchema).filter(({ node }) => node.description === undefined);
  assert.deepEqual(
    silent.map(({ name }) => name),
    [],
  );
});

test("docs/reference/cli.md and dolium.1 have every command as the table has it", async () => {
  const entries = await commandEntries();
  assertUpToDate("cli.md", commandPage(entries));
  assertUpToDate("dolium.1", manualPage(entries));
});
