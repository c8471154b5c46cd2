// Limits of STYLE that a machine can check: length of files, functions and lines, the opening
// comment, file names, type assertions that hide mistakes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { codeOnly, type SourceFile, sourceFiles } from "./tree.ts";

const FILE_LINES_MAX = 500;
const FUNCTION_LINES_MAX = 70;
const LINE_COLUMNS_MAX = 100;

/** Data tables and generated text, with the reason. */
const EXCEPTED: Readonly<Record<string, string>> = {
  "services/lib/erasure/wasm/kernel-wasm.ts": "generated: the built kernel as base64",
  "services/lib/raft/core/wasm.ts": "generated: the built core as base64",
};

function checked(): SourceFile[] {
  return sourceFiles().filter((file) => EXCEPTED[file.path] === undefined);
}

function isTest(file: SourceFile): boolean {
  return file.path.startsWith("test/") || file.path.startsWith("benchmarks/");
}

interface Span {
  readonly name: string;
  readonly line: number;
  readonly lines: number;
}

const FUNCTION_START =
  /(?:\bfunction\b\s*\*?\s*([\w$]*)|^ {2,}(?:(?:static|async|override|get|set)\s+)*\*?\s*(#?[\w$]+))\s*(?:<[^{}()]*>)?\s*\(/;
const NOT_METHODS = new Set(["if", "for", "while", "switch", "catch", "return", "await"]);

/**
 * Functions and methods by their braces; the code is formatted, so a body closes at its own indent.
 */
function functionsOf(file: SourceFile): Span[] {
  const lines = codeOnly(file.text).split("\n");
  const spans: Span[] = [];
  lines.forEach((line, index) => {
    const match = FUNCTION_START.exec(line);
    const name = match?.[1] ?? match?.[2];
    if (match === null || name === undefined || NOT_METHODS.has(name)) return;
    const indent = /^ */.exec(line)?.[0] ?? "";
    const opens = bodyOpens(lines, index, indent);
    if (opens === undefined) return;
    const end = lines.findIndex((later, at) => at > opens && later.startsWith(`${indent}}`));
    if (end > opens) spans.push({ name, line: index + 1, lines: end - index + 1 });
  });
  return spans;
}

/**
 * Line of the brace that opens the body: of this line, or of the one that closes the parameters.
 */
function bodyOpens(lines: readonly string[], index: number, indent: string): number | undefined {
  const line = lines[index] ?? "";
  if (line.endsWith("{")) return index;
  if (!line.endsWith("(")) return undefined;
  const close = lines.findIndex((later, at) => at > index && later.startsWith(`${indent})`));
  return close > index && (lines[close] ?? "").endsWith("{") ? close : undefined;
}

test("no file is longer than 500 lines", () => {
  const long = checked()
    .filter((file) => file.lines.length > FILE_LINES_MAX)
    .map((file) => `${file.path}: ${file.lines.length} lines`);
  assert.deepEqual(long, []);
});

test("no function is longer than 70 lines", () => {
  const long = checked()
    .filter((file) => !isTest(file))
    .flatMap((file) =>
      functionsOf(file)
        .filter((span) => span.lines > FUNCTION_LINES_MAX)
        .map((span) => `${file.path}:${span.line} ${span.name}: ${span.lines} lines`),
    );
  assert.deepEqual(long, []);
});

test("no line is wider than 100 columns, but for strings that cannot be cut", () => {
  const cannotBeCut = (line: string): boolean =>
    !/^\s*(?:\/\/|\/?\*)/.test(line) && /["'`/]/.test(line);
  const wide = checked().flatMap((file) =>
    file.lines.flatMap((line, index) =>
      line.length > LINE_COLUMNS_MAX && !cannotBeCut(line) ? [`${file.path}:${index + 1}`] : [],
    ),
  );
  assert.deepEqual(wide, []);
});

test("every file opens with a comment that says what it is for", () => {
  const bare = checked()
    .filter((file) => !/^(?:#![^\n]*\n)?(?:\/\/|\/\*)/.test(file.text))
    .map((file) => file.path);
  assert.deepEqual(bare, []);
});

test("file names are kebab-case and say something", () => {
  const bad = sourceFiles()
    .map((file) => file.path)
    .filter((path) => {
      const name = path.split("/").at(-1) ?? "";
      const kebab = /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.test|\.d)?\.tsx?$/.test(name);
      return !kebab || /^(?:utils?|helpers?|common|manager|services|misc)\.ts$/.test(name);
    });
  assert.deepEqual(bad, []);
});

test("nothing is left open in the code", () => {
  const open = checked()
    .filter((file) => !file.path.startsWith("test/tidy/"))
    .flatMap((file) =>
      file.lines.flatMap((line, index) =>
        /\b(?:TODO|FIXME|XXX)\b|@ts-(?:ignore|nocheck|expect-error)|\bas any\b/.test(line)
          ? [`${file.path}:${index + 1}`]
          : [],
      ),
    );
  assert.deepEqual(open, []);
});
