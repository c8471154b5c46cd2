// QR codes: digests of codes that an independent reader (zbar 0.23) read back to the same text, and
// the shape of every code.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { qrMatrix } from "../../../services/console/model/qr.ts";

const TEXT = `http://127.0.0.1:9000/b/k?x=${"aB3/%-".repeat(600)}`;

/** Length of the text, side of the code, beginning of its digest. */
const READ_BACK = [
  [1, 21, "e0065cd099f60f3d"],
  [17, 21, "3fdb042355d95d4a"],
  [18, 25, "d56375a7171118c0"],
  [60, 33, "5e4c6495409a0163"],
  [134, 41, "d352bea10975fa64"],
  [135, 45, "e8a6572bc3175926"],
  [300, 61, "ad1b2a6beb3abc55"],
  [700, 89, "eb8cb7d0f936bd05"],
  [1200, 117, "ac2e137255ac419b"],
  [2000, 149, "356eefccdd26d6d3"],
  [2900, 177, "65beafc7abdbabb2"],
  [2953, 177, "32e632b412dec94c"],
] as const;

test("codes are those that a reader read back", () => {
  for (const [length, side, digest] of READ_BACK) {
    const matrix = qrMatrix(TEXT.slice(0, length));
    assert.ok(matrix !== undefined);
    assert.equal(matrix.length, side);
    const rows = matrix.map((row) => row.map(Number).join("")).join("\n");
    const found = createHash("sha256").update(rows).digest("hex").slice(0, 16);
    assert.equal(found, digest, `${length} bytes`);
  }
});

test("a text that is too long has no code", () => {
  assert.equal(qrMatrix("x".repeat(2954)), undefined);
  assert.notEqual(qrMatrix("x".repeat(2953)), undefined);
});

test("bytes count, not characters", () => {
  assert.equal(qrMatrix("é".repeat(1477)), undefined);
  assert.notEqual(qrMatrix("é".repeat(1476)), undefined);
});

test("every code has its three corners", () => {
  for (const length of [1, 100, 1000]) {
    const matrix = qrMatrix("q".repeat(length)) ?? [];
    const last = matrix.length - 1;
    for (const [x, y] of [
      [0, 0],
      [last, 0],
      [0, last],
    ] as const) {
      assert.equal(matrix[y]?.[x], true);
      assert.equal(matrix[Math.abs(y - 1)]?.[Math.abs(x - 1)], false);
      assert.equal(matrix[Math.abs(y - 3)]?.[Math.abs(x - 3)], true);
    }
  }
});
