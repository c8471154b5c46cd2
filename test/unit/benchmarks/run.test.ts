// A tiny run of the runner as a user starts it: its output keeps the contract, and nothing stays.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { after, test } from "node:test";
import { problems } from "../../../benchmarks/runner/contract.ts";
import { isRecord } from "../../../benchmarks/runner/plain-record.ts";
import { runCommand } from "../../support/run-command.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const MAIN = join(import.meta.dirname, "../../../benchmarks/main.ts");
const folder = temporaryFolder("dolium-bench-test-");
after(() => folder.remove());

function run(...args: string[]): Promise<string> {
  return runCommand(process.execPath, [MAIN, "--folder", folder.path, ...args]);
}

test("--json prints one object as the contract says, and the folder is left empty", async () => {
  const only = "put-4KiB-c1,get-4KiB-c2,mixed-4KiB-c2";
  const tiny = ["--mode", "server", "--rounds", "1", "--seconds", "1"];
  const text = await run("--json", "--only", only, ...tiny);
  const document: unknown = JSON.parse(text);
  assert.deepEqual(problems(document), []);
  assert.ok(isRecord(document) && Array.isArray(document.results));
  const names = document.results.map((result) => (isRecord(result) ? result.name : ""));
  assert.deepEqual(names.join(","), only.replace(",mixed-4KiB-c2", ""));
  assert.ok(Array.isArray(document.others) && document.others.length === 1);
  assert.deepEqual(readdirSync(folder.path), []);
});

test("a name that is none is refused before anything starts", async () => {
  await assert.rejects(run("--only", "put-4KB-c1"), /names no case/);
  assert.deepEqual(readdirSync(folder.path), []);
});
