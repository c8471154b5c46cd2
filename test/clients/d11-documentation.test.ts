// The page for users shows where each client that is run here takes its endpoint, and leads to a
// page that says how it is addressed, how it signs, and which tests run it.
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

const FACTS = ["Endpoint", "Addresses", "Signature", "Region", "TLS", "Token"];

rowTest(page, ["D11"], "a page for each client, with the same facts in each", async () => {
  const text = readFileSync(join(ROOT, "docs/clients.md"), "utf8");
  const rows = text.split("\n").filter((line) => line.startsWith("| ") && line.includes("HOST"));
  const linked = rows.map((row) => /\]\((clients\/[a-z0-9-]+\.md)\) \|$/.exec(row)?.[1] ?? row);
  const there = readdirSync(join(ROOT, "docs/clients")).map((name) => `clients/${name}`);
  assert.deepEqual([...new Set(linked)].sort(), there.sort());
  for (const name of there) {
    const facts = readFileSync(join(ROOT, "docs", name), "utf8").split("\n");
    for (const fact of FACTS) {
      assert.ok(
        facts.some((line) => line.startsWith(`| ${fact} | `)),
        `${name}: ${fact}`,
      );
    }
    assert.ok(facts.includes("## Limits") && facts.includes("## Run here"), name);
  }
});
