// A data folder that this user may not write is refused with one sentence that names it.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, test } from "node:test";
import { prepareFolder } from "../../../services/cli/writable-folder.ts";

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), "dolium-writable-"));
});
after(() => rmSync(folder, { recursive: true, force: true }));

test("folders that are missing are made", () => {
  const path = join(folder, "a/b");
  prepareFolder(path);
  assert.ok(existsSync(path));
  prepareFolder(path);
});

test("a foreign folder is named with its owner, its mode and the way out", (t) => {
  if (process.getuid?.() !== 0) return t.skip("needs root");
  const closed = join(folder, "closed");
  mkdirSync(closed);
  chmodSync(closed, 0o755);
  chmodSync(folder, 0o755);
  for (const path of [closed, join(closed, "below")]) {
    const message = refusalOf(path);
    const start = `${path} cannot be written by user 12345, group 12345: `;
    assert.ok(message.startsWith(start), message);
    assert.match(message, /closed belongs to user 0, group 0, mode 755; run `chown -R 12345:12345/);
  }
});

/** What another user is told. The modules are loaded before the process becomes that user. */
function refusalOf(path: string): string {
  const module = join(import.meta.dirname, "../../../services/cli/writable-folder.ts");
  const program = `const { prepareFolder } = await import(${JSON.stringify(module)});
    process.setgroups([]); process.setgid(12345); process.setuid(12345);
    try { prepareFolder(${JSON.stringify(path)}); } catch (error) { console.log(error.message); }`;
  const run = spawnSync(process.execPath, ["--input-type=module", "-e", program]);
  return run.stdout.toString() + run.stderr.toString();
}

test("a file in the way is told as it is", () => {
  assert.throws(() => prepareFolder("/dev/null/data"), /\/dev\/null\/data cannot be used/);
});
