// The client matrix leaves nothing out: each row of the S3 surface is in the table once, has a test
// or a reason, and stands on the page once.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { matrixPage, PAGE } from "./matrix.ts";
import type { ClientOutcome } from "./row-test.ts";
import { allRows } from "./rows.ts";

const ROOT = join(import.meta.dirname, "../..");
const COUNTS = { A: 21, B: 11, C: 21, D: 12, E: 9 } as const;
const EXPECTED = Object.entries(COUNTS).flatMap(([letter, count]) =>
  Array.from({ length: count }, (_, at) => `${letter}${at + 1}`),
);

function tested(): Set<string> {
  const files = readdirSync(import.meta.dirname).filter((name) => name.endsWith(".test.ts"));
  const calls = files
    .filter((name) => name !== "matrix.test.ts")
    .map((name) => readFileSync(join(import.meta.dirname, name), "utf8"))
    .flatMap((text) => [...text.matchAll(/\[((?:\s*"[A-E]\d+",?)+\s*)\]/g)])
    .flatMap((match) => [...(match[1] ?? "").matchAll(/"([A-E]\d+)"/g)]);
  return new Set(calls.map((match) => match[1] ?? ""));
}

test("the table has every row of the lists A to E, in order", () => {
  assert.deepEqual(
    allRows().map(([name]) => name),
    EXPECTED,
  );
});

test("every row has a client's test, another test, or a reason to wait", () => {
  const clients = tested();
  const bare = allRows()
    .filter(([name]) => !clients.has(name))
    .filter(([, row]) => row.tests === undefined && row.waits === undefined)
    .map(([name]) => name);
  assert.deepEqual(bare, []);
});

test("the tests that rows name are there", () => {
  const named = allRows().flatMap(([, row]) => row.tests ?? []);
  assert.deepEqual(
    named.filter((path) => !existsSync(join(ROOT, path))),
    [],
  );
});

test("the page has every row once, and no client that failed", () => {
  const lines = readFileSync(PAGE, "utf8").split("\n");
  const rows = lines.flatMap((line) => /^\| ([A-E]\d+) \|/.exec(line)?.[1] ?? []);
  assert.deepEqual(rows, EXPECTED);
  assert.deepEqual(
    lines.filter((line) => /\| (?:.*<br>)?failed(?:<br>.*)? \|/.test(line)),
    [],
  );
});

test("a row shows the worst of a client's outcomes, and each client by its version", () => {
  const base = {
    rows: ["A1"],
    client: "one",
    version: "1.2",
    file: "x.test.ts",
    title: "t",
  } as const;
  const results: ClientOutcome[] = [
    { ...base, outcome: "passed" },
    { ...base, outcome: "failed" },
    { ...base, client: "two", version: "3.4", outcome: "passed" },
    { ...base, client: "two", version: "3.5", outcome: "replayed" },
  ];
  const line = matrixPage(results)
    .split("\n")
    .find((text) => text.startsWith("| A1 |"));
  assert.match(
    line ?? "",
    /one 1\.2<br>two 3\.4<br>two 3\.5 \| failed<br>passed<br>replayed \| `test\/clients\/x\.test\.ts`/,
  );
});
