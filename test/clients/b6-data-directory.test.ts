// A directory that cannot be written: the server refuses to start and names the path; one that can
// be is used.
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { DOLIUM } from "../support/dolium-command.ts";
import { runCommand } from "../support/run-command.ts";
import { rowTest } from "./row-test.ts";

const server = { name: "dolium server", version: "", absent: undefined };
let folder: string;

before(() => {
  folder = mkdtempSync(join(tmpdir(), "dolium-directory-"));
});

after(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Root may write everywhere; without these capabilities the modes of files hold for it too. */
function command(args: readonly string[]): readonly [string, readonly string[]] {
  if (process.getuid?.() !== 0) return [DOLIUM, args];
  const capabilities = "-dac_override,-dac_read_search";
  return [
    "setpriv",
    [`--bounding-set=${capabilities}`, `--inh-caps=${capabilities}`, "--", DOLIUM, ...args],
  ];
}

rowTest(server, ["B6"], "no right to write: refuses to start, names the path", async () => {
  const closed = join(folder, "closed");
  mkdirSync(closed);
  chmodSync(closed, 0o555);
  const paths = [closed, join(closed, "below")];
  for (const path of paths) {
    const [program, args] = command(["server", path]);
    const said = await runCommand(program, args).then(
      () => "it ran and ended",
      (error: unknown) =>
        error instanceof Error && "stderr" in error ? String(error.stderr) : String(error),
    );
    assert.ok(said.includes(path), said);
    assert.match(said, /cannot be written by user \d+.*run `chmod u\+rwx /);
  }
});
