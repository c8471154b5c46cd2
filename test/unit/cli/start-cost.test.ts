// A cluster on one machine starts a dozen processes at once: what each must load is bounded, and
// counted in files, since times depend on the machine.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { promisify } from "node:util";

const SERVICES = join(import.meta.dirname, "../../../services");
/** Files of packages; ours grow with what they do. */
const FILES_MAX = 480;

/** Prints how many files were loaded, and how many of each package. */
const COUNTER = `
import { registerHooks } from "node:module";
const counts = {};
registerHooks({
  load(url, context, next) {
    const name = url.includes("/node_modules/") ? url.split("/node_modules/").at(-1).split("/")[0] : "own";
    if (url.startsWith("file:") && name !== "own") counts[name] = (counts[name] ?? 0) + 1;
    return next(url, context);
  },
});
for (const path of process.argv.slice(1)) await import(path);
console.log(JSON.stringify(counts));
`;

for (const role of ["metadata", "storage", "gateway", "keeper"]) {
  test(`a ${role} process loads few files of packages`, async () => {
    const paths = ["cli/commands/role.ts", `cli/roles/${role}.ts`];
    const { stdout } = await promisify(execFile)(process.execPath, [
      "--input-type=module",
      "--eval",
      COUNTER,
      ...paths.map((path) => join(SERVICES, path)),
    ]);
    const counts: unknown = JSON.parse(stdout);
    assert.ok(typeof counts === "object" && counts !== null);
    const sum = Object.values(counts).reduce((total: number, count) => total + Number(count), 0);
    assert.ok(sum > 100, "nothing was counted");
    assert.ok(!("typebox" in counts), "typebox is 680 files");
    assert.ok(sum <= FILES_MAX, `${role} loads ${sum} files: ${stdout}`);
  });
}
