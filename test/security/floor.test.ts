// No security test drops out unnoticed: each group of cases keeps at least so many tests, and each
// advisory that a test came from stays named by one.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const HERE = import.meta.dirname;
/** Many a case stands beside the tests of its part. */
const FOLDERS = ["", "../s3", "../unit", "../cluster", "../console"].map((name) =>
  join(HERE, name),
);

/** By the number of the case, `(8)`; only ever raised. */
const FLOORS: ReadonlyMap<number, number> = new Map([
  [1, 3],
  [2, 1],
  [3, 7],
  [4, 1],
  [5, 1],
  [6, 1],
  [7, 2],
  [8, 2],
  [9, 6],
  [10, 5],
  [11, 4],
  [12, 2],
  [13, 1],
  [14, 5],
  [15, 1],
  [21, 3],
  [26, 1],
  [27, 1],
  [28, 1],
  [29, 1],
  [30, 1],
  [31, 7],
  [32, 2],
  [33, 5],
  [34, 2],
  [36, 4],
  [37, 2],
  [38, 1],
  [39, 4],
]);

const ADVISORIES = [
  "CVE-2016-7031",
  "CVE-2016-9579",
  "CVE-2018-16889",
  "CVE-2020-1699",
  "CVE-2020-1760",
  "CVE-2021-21287",
  "CVE-2021-21390",
  "CVE-2021-43858",
  "CVE-2023-25812",
  "CVE-2023-28432",
  "CVE-2023-28434",
  "CVE-2023-43040",
  "CVE-2024-24747",
  "CVE-2024-27316",
  "CVE-2024-36107",
  "CVE-2024-47866",
  "CVE-2024-48916",
  "CVE-2025-31489",
  "CVE-2025-62506",
  "CVE-2025-68926",
  "CVE-2026-33186",
  "CVE-2026-33322",
  "CVE-2026-33419",
  "CVE-2026-34204",
  "CVE-2026-40344",
  "CVE-2026-41145",
  "GHSA-v2ch",
];

function textsUnder(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".test.ts") && !name.endsWith("floor.test.ts"))
    .map((name) => readFileSync(join(folder, name), "utf8"));
}

const names = FOLDERS.flatMap(textsUnder).flatMap((text) =>
  [...text.matchAll(/^\s*(?:test|consoleTest)\(\s*["'`](\(\d+\)[^"'`]*)/gm)].map(
    (match) => match[1] ?? "",
  ),
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
