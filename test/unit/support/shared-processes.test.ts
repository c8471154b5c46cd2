// Every test file is run once, whether alone or with others in one process.
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { sharedProcesses, sharesItsProcess } from "../../support/shared-processes.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const PLAIN = 'test("one", () => undefined);\n';
const OWN_PROCESS = "process.chdir(folder);\n";

function rig(context: TestContext): { readonly tests: string; readonly folder: string } {
  const made = temporaryFolder("dolium-together-");
  context.after(() => made.remove());
  const tests = join(made.path, "test");
  for (const folder of ["unit/a", "s3", "cluster"]) {
    mkdirSync(join(tests, folder), { recursive: true });
  }
  return { tests, folder: join(made.path, "together") };
}

function loadedBy(path: string): string[] {
  const lines = readFileSync(path, "utf8").trim().split("\n");
  return lines.map((line) => fileURLToPath(JSON.parse(line.slice("import ".length, -1))));
}

test("files go together, those that change their process and those of clusters alone", (t) => {
  const { tests, folder } = rig(t);
  const plain = Array.from({ length: 41 }, (_, at) => join(tests, `unit/a/plain-${at}.test.ts`));
  const s3 = join(tests, "s3/put.test.ts");
  const apart = join(tests, "unit/a/apart.test.ts");
  const cluster = join(tests, "cluster/kills.test.ts");
  for (const path of [...plain, s3, cluster]) writeFileSync(path, PLAIN);
  writeFileSync(apart, OWN_PROCESS);
  const started = sharedProcesses([apart, cluster, ...plain, s3], { tests, folder });
  const isTogether = (path: string): boolean => path.startsWith(folder);
  assert.deepEqual(
    started.filter((path) => !isTogether(path)),
    [apart, cluster],
  );
  assert.deepEqual(started.map(isTogether), [false, true, false, true, true]);
  const loaded = started.filter(isTogether).map(loadedBy);
  assert.deepEqual(
    loaded.map((files) => files.length),
    [14, 14, 14],
  );
  assert.deepEqual(loaded.flat().sort(), [...plain, s3].sort());
});

test("tests of the console that take the server as it comes share it", (t) => {
  const { tests, folder } = rig(t);
  mkdirSync(join(tests, "console"));
  const shared = ["objects", "pages"].map((name) => join(tests, `console/${name}.test.ts`));
  for (const path of shared) writeFileSync(path, "useConsole();\n");
  const own = join(tests, "console/access.test.ts");
  writeFileSync(own, 'useConsole({ DOLIUM_IDENTITY__TOKENS: "true" });\n');
  const [first, second, ...others] = sharedProcesses([own, ...shared], { tests, folder });
  assert.equal(first, own);
  assert.deepEqual(loadedBy(second ?? ""), shared);
  assert.deepEqual(others, []);
});

test("what an earlier run made is gone", (t) => {
  const { tests, folder } = rig(t);
  const file = join(tests, "s3/put.test.ts");
  writeFileSync(file, PLAIN);
  mkdirSync(folder);
  writeFileSync(join(folder, "together-9.test.mjs"), "");
  const [started] = sharedProcesses([file], { tests, folder });
  assert.ok(started !== undefined);
  assert.deepEqual(readdirSync(folder), ["together-1.test.mjs"]);
  assert.deepEqual(loadedBy(started), [file]);
});

test("reading the environment is shared, changing it or hooking into every test is not", () => {
  for (const source of [
    PLAIN,
    'const isFull = process.env.DOLIUM_TEST_FULL === "1";',
    "const seed = Number(process.env.SEED ?? 1);",
    "spawn(name, { env: { ...process.env, A: 1 } });",
    "before(async () => start());",
  ]) {
    assert.equal(sharesItsProcess(source), true, source);
  }
  for (const source of [
    OWN_PROCESS,
    'process.env.DOLIUM_DATA = "x";',
    'process.env["A"] ??= "x";',
    "delete process.env.A;",
    "beforeEach(() => undefined);",
    'process.on("exit", done);',
    "process.exitCode = 3;",
    'mock.method(fs, "readSync");',
    "fc.configureGlobal({ numRuns: 1 });",
  ]) {
    assert.equal(sharesItsProcess(source), false, source);
  }
});
