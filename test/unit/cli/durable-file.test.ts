// Small files of a data directory: replaced as a whole, readable by their owner only, copied when
// they differ. That a power cut leaves them whole is shown by test/power.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  copyDurably,
  makeFolderDurably,
  writeDurably,
} from "../../../services/cli/durable-file.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

test("a file is replaced as a whole, whatever a cut start left behind", (t) => {
  const folder = temporaryFolder("dolium-durable-");
  t.after(() => folder.remove());
  const inner = join(folder.path, "a/b/c");
  makeFolderDurably(inner);
  makeFolderDurably(inner);
  const path = join(inner, "key");
  writeFileSync(`${path}.new`, "half a fi");
  writeDurably(path, "one");
  assert.equal(statSync(path).mode & 0o777, 0o600);
  writeDurably(path, "two");
  assert.equal(readFileSync(path, "utf8"), "two");
  assert.deepEqual(readdirSync(inner), ["key"]);
});

test("a copy that is equal is left alone, another one is replaced", (t) => {
  const folder = temporaryFolder("dolium-durable-");
  t.after(() => folder.remove());
  const [from, to] = [join(folder.path, "from"), join(folder.path, "to")];
  writeDurably(from, "one");
  copyDurably(from, to);
  const { ino } = statSync(to);
  copyDurably(from, to);
  assert.equal(statSync(to).ino, ino);
  writeDurably(from, "two");
  copyDurably(from, to);
  assert.equal(readFileSync(to, "utf8"), "two");
});
