// Reads the source tree for the tidy tests: our own TypeScript files, without generated code.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";

export interface SourceFile {
  /** Path from the repository's root, with forward slashes. */
  readonly path: string;
  readonly text: string;
  readonly lines: readonly string[];
}

export const ROOT = join(import.meta.dirname, "../..");
const FOLDERS = ["services", "proto", "test", "benchmarks"];
const LEFT_OUT = ["services/lib/gen/", "test/fixtures/gen/", "services/lib/erasure/wasm/assembly/"];

function read(path: string): SourceFile {
  const text = readFileSync(join(ROOT, path), "utf8");
  return { path, text, lines: text.replace(/\n$/, "").split("\n") };
}

function filesOf(folder: string): string[] {
  if (!existsSync(join(ROOT, folder))) return [];
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)).split(sep).join("/"))
    .filter((path) => !LEFT_OUT.some((prefix) => path.startsWith(prefix)))
    .sort();
}

/** Every TypeScript file of ours, in order of path. */
export function sourceFiles(): SourceFile[] {
  return FOLDERS.flatMap(filesOf).map(read);
}

/** Text with comments and the insides of strings blanked, so that words in them do not count. */
export function codeOnly(text: string): string {
  return text.replace(
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`/g,
    (match) => match.replace(/[^\n]/g, " "),
  );
}
