// Weighted choice: even spreading first, proportion to weight second, steady under change.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { AssertionFailure, present } from "../../../services/lib/base/assert.ts";
import { seedOf, shareOut } from "../../../services/lib/placement/rendezvous.ts";

function itemsOf(
  count: number,
  shares: number,
): { seed: ReturnType<typeof seedOf>; count: number }[] {
  return Array.from({ length: count }, (_, index) => ({
    seed: seedOf(`item ${index}`),
    count: shares,
  }));
}

function candidatesOf(
  weights: readonly number[],
): { seed: ReturnType<typeof seedOf>; weight: number }[] {
  return weights.map((weight, index) => ({ seed: seedOf(`candidate ${index}`), weight }));
}

test("every item hands out exactly its count, floor or ceil of the average each", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 1, maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 24 }), { minLength: 1, maxLength: 40 }),
      fc.boolean(),
      (weights, counts, balanced) => {
        const items = counts.map((count, index) => ({ seed: seedOf(`item ${index}`), count }));
        const shares = shareOut(items, candidatesOf(weights), balanced);
        counts.forEach((count, index) => {
          const row = [...present(shares[index], "row")];
          assert.equal(
            row.reduce((sum, value) => sum + value, 0),
            count,
          );
          const even = Math.floor(count / weights.length);
          assert.ok(row.every((value) => value === even || value === even + 1));
        });
      },
    ),
    { numRuns: 200 },
  );
});

test("unbalanced single choices follow weight over many items", () => {
  const weights = [1, 2, 3, 4];
  const totals = [0, 0, 0, 0];
  for (const row of shareOut(itemsOf(20_000, 1), candidatesOf(weights), false)) {
    row.forEach((value, index) => {
      totals[index] = (totals[index] ?? 0) + value;
    });
  }
  weights.forEach((weight, index) => {
    const share = (totals[index] ?? 0) / (2000 * weight);
    assert.ok(Math.abs(share - 1) < 0.06, `candidate ${index}: ${share} of its part`);
  });
});

test("balanced totals come nearer to what is due than unbalanced ones", () => {
  const weights = [3, 5, 4, 6, 4, 5, 3];
  const worst = (balanced: boolean): number => {
    const totals = weights.map(() => 0);
    for (const row of shareOut(itemsOf(256, 3), candidatesOf(weights), balanced)) {
      row.forEach((value, index) => {
        totals[index] = (totals[index] ?? 0) + value;
      });
    }
    return Math.max(
      ...weights.map((weight, index) => Math.abs((totals[index] ?? 0) / (25.6 * weight) - 1)),
    );
  };
  assert.ok(worst(true) < 0.05, `${worst(true)}`);
  assert.ok(worst(false) > 0.05, `${worst(false)}`);
});

test("without balancing, a new candidate only takes: no share moves between the others", () => {
  const before = shareOut(itemsOf(500, 2), candidatesOf([1, 1, 1, 1, 1]), false);
  const after = shareOut(itemsOf(500, 2), candidatesOf([1, 1, 1, 1, 1, 1]), false);
  after.forEach((row, item) => {
    for (let index = 0; index < 5; index += 1) {
      assert.ok((row[index] ?? 0) <= (present(before[item], "row")[index] ?? 0));
    }
  });
});

test("refuses no candidates and candidates without weight", () => {
  assert.throws(() => shareOut(itemsOf(1, 1), [], true), AssertionFailure);
  assert.throws(() => shareOut(itemsOf(1, 1), candidatesOf([1, 0]), true), AssertionFailure);
});
