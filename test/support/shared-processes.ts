// Test files that go together in one process: starting one and loading the same code into it takes
// most files longer than their tests do. Files that change something of their process, or that
// hook into every test of it, keep one to themselves.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { pathToFileURL } from "node:url";

/** Folders of tests that start no processes of their own, or few. */
const FOLDERS = ["unit", "s3", "security"];
/** Tests of the console that take the server as it comes share it, and the browser. */
const CONSOLE = { folder: "console", sign: "useConsole();" };
/** What makes a file keep its process to itself. */
const ALONE = [
  /\b(beforeEach|afterEach)\(/,
  /\bprocess\.env(\.\w+|\[[^\]]*\])\s*(\?\?)?=[^=]/,
  /\bdelete process\.env\b/,
  /\bprocess\.(chdir|exit|exitCode|on|once|umask|execArgv)\b/,
  /\bmock\.|setFlagsFromString|configureGlobal|globalThis|registerHooks|\bsubscribe\(/,
];
const FILES_IN_ONE = 20;

/** Whether the source text of a test file lets others run in its process. */
export function sharesItsProcess(source: string): boolean {
  return !ALONE.some((sign) => sign.test(source));
}

/**
 * The files to run instead of `files` (paths under `tests`), each in a process of its own: those
 * that keep to themselves as they are, and for the others files in `folder`, made anew, which load
 * them. Every file's tests run once.
 */
export function sharedProcesses(
  files: readonly string[],
  { tests, folder }: { readonly tests: string; readonly folder: string },
): string[] {
  const [together, ofConsole, alone]: [string[], string[], string[]] = [[], [], []];
  for (const file of files) {
    const [first = ""] = relative(tests, file).split(sep);
    const source = readFileSync(file, "utf8");
    if (FOLDERS.includes(first) && sharesItsProcess(source)) together.push(file);
    else if (first === CONSOLE.folder && source.includes(CONSOLE.sign)) ofConsole.push(file);
    else alone.push(file);
  }
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const count = Math.ceil(together.length / FILES_IN_ONE);
  // Each count-th: neighbours resemble each other, and so do then the processes.
  const batches = Array.from({ length: count }, (_, at) =>
    together.filter((_file, index) => index % count === at),
  );
  const shared = [...(ofConsole.length > 0 ? [ofConsole] : []), ...batches].map((members, at) => {
    const path = join(folder, `together-${at + 1}.test.mjs`);
    const lines = members.map((file) => `import ${JSON.stringify(pathToFileURL(file).href)};\n`);
    writeFileSync(path, lines.join(""));
    return path;
  });
  return spreadAmong(alone, shared);
}

/** Tests of clusters use the processors, those of units wait: they do best side by side. */
function spreadAmong(files: readonly string[], others: readonly string[]): string[] {
  const stride = Math.ceil(files.length / (others.length + 1));
  return Array.from({ length: others.length + 1 }, (_, at) => [
    ...files.slice(at * stride, (at + 1) * stride),
    ...others.slice(at, at + 1),
  ]).flat();
}
