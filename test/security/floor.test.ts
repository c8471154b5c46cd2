// No security test drops out unnoticed: each group of cases keeps at least so many tests, and each
// advisory that a test came from stays named by one.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const HERE = import.meta.dirname;
/** Cases of the cross-tenant matrix stand beside the tests of the S3 port. */
const FOLDERS = [HERE, join(HERE, "../s3"), join(HERE, "../unit")];

/** By the number of the case, `(8)`; only ever raised. */
const FLOORS: ReadonlyMap<number, number> = new Map([
  [1, 3],
  [8, 2],
  [9, 6],
  [10, 4],
  [11, 4],
  [12, 2],
  [13, 1],
  [14, 5],
]);

const ADVISORIES = [
  "CVE-2016-7031",
  "CVE-2023-25812",
  "CVE-2024-24747",
  "CVE-2024-36107",
  "CVE-2024-47866",
  "CVE-2025-31489",
  "CVE-2025-62506",
  "CVE-2026-40344",
  "CVE-2026-41145",
];

function textsUnder(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".test.ts") && !name.endsWith("floor.test.ts"))
    .map((name) => readFileSync(join(folder, name), "utf8"));
}

const names = FOLDERS.flatMap(textsUnder).flatMap((text) =>
  [...text.matchAll(/^\s*test\(\s*["'`](\(\d+\)[^"'`]*)/gm)].map((match) => match[1] ?? ""),
);

test("each group of cases keeps its tests", () => {
  for (const [group, floor] of FLOORS) {
    const count = names.filter((name) => name.startsWith(`(${group})`)).length;
    assert.ok(count >= floor, `(${group}): ${count} of ${floor}`);
  }
});

test("each advisory is named by a test", () => {
  for (const advisory of ADVISORIES) {
    assert.ok(
      names.some((name) => name.includes(advisory)),
      advisory,
    );
  }
});
