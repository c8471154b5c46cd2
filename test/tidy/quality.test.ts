// The quality report says what it is told, and the page in the tree is one that it made.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { OPERATIONS } from "../../services/gateway/operations.ts";
import { QUALITY_PAGE, qualityPage, rowOutcomes } from "../report.ts";

test("rows count by their worst: what waits in part, waits", () => {
  const page = [
    "| row | what | client | outcome | where |",
    "| A1 | x | s3cmd 2 | passed | `a` |",
    "| A2 | x | php | replayed<br>passed | `a` |",
    "| A3 | x | b | passed<br>waits: for c | `a` |",
    "| A4 | x |  |  | `a` |",
  ].join("\n");
  assert.deepEqual(
    [...rowOutcomes(page)],
    [
      ["by clients", 2],
      ["with something that waits", 1],
      ["by other tests", 1],
    ],
  );
});

test("the page has every figure, and sums", () => {
  const page = qualityPage({
    summary: "5 passed, 0 failed, 1 skipped",
    areas: [
      { area: "s3", files: 2, tests: 3 },
      { area: "unit/iam", files: 1, tests: 4 },
    ],
    actions: 7,
    rows: new Map([["by clients", 9]]),
    fuzzers: ["xml", "range"],
    goldenRecords: 8,
  });
  for (const part of ["5 passed, 0 failed", "S3: 7,", "9 by clients", "xml, range", ": 8\n"]) {
    assert.ok(page.includes(part), part);
  }
  assert.ok(page.includes("| all | 3 | 7 |"));
});

test("the page in the tree is of these actions", () => {
  const page = readFileSync(QUALITY_PAGE, "utf8");
  assert.ok(page.includes(`- Actions of S3: ${OPERATIONS.length},`), "make report");
});
