// The page for users shows where each client that is run here takes its endpoint.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { rowTest } from "./row-test.ts";

const ROOT = join(import.meta.dirname, "../..");
const page = { name: "docs/clients.md", version: "", absent: undefined };

/** Clients as their tests call them; curl and databases beside them have lines of their own. */
function clients(): string[] {
  const names = readdirSync(import.meta.dirname)
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => readFileSync(join(import.meta.dirname, name), "utf8"))
    .flatMap((text) => [
      ...text.matchAll(/findClient\(\{\s*name: "([^"]+)"/g),
      ...text.matchAll(/findPython\("([^"]+)"/g),
      ...text.matchAll(/installed\("([^"]+)"/g),
      ...text.matchAll(/= clients\("([^"]+)"/g),
      ...text.matchAll(/: JavaLibrary = \{ name: "([^"]+)"/g),
    ])
    .map((match) => match[1] ?? "");
  return [...new Set(names)].filter((name) => name !== "PostgreSQL" && name !== "boto");
}

rowTest(page, ["D11"], "a line with the endpoint for each client", async () => {
  const text = readFileSync(join(ROOT, "docs/clients.md"), "utf8");
  const found = clients();
  assert.ok(found.length >= 12, found.join(", "));
  for (const name of [...found, "boto 2"]) {
    const line = text.split("\n").find((one) => one.startsWith(`| ${name} |`));
    assert.ok(line?.includes("HOST") === true, `no line for ${name}`);
  }
});
