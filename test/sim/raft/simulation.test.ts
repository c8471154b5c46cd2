// The Raft host in simulation: hundreds of seeded runs must hold, and every planted bug must be
// found. The runs have a process of their own: the test runner's hooks on every promise would cost
// half as much again.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { promisify } from "node:util";
import { Violation } from "./checker.ts";
import { figureEight } from "./figure-eight.ts";
import { EARLIER_TERM, PLANTED_BUGS } from "./planted.ts";
import { simulate } from "./run.ts";

const SEEDS = 500;
/** Every planted bug is found within this many seeds. */
const PLANTED_SEEDS = 40;
/** Seeds of the history of figure 8. */
const HISTORIES = 8;
const MAIN = join(import.meta.dirname, "main.ts");

test(`${SEEDS} seeds of faults lose, reorder and invent nothing, and heal`, async () => {
  const run = promisify(execFile);
  const { stdout } = await run(process.execPath, [MAIN, "--seeds", `1..${SEEDS}`, "--brief"]);
  const totals: Record<string, number> = JSON.parse(stdout.trim().split("\n").at(-1) ?? "{}");
  assert.equal(totals.runs, SEEDS);
  // A run in which nothing happened would prove nothing.
  assert.ok((totals.acknowledged ?? 0) > SEEDS * 20, "few commands were acknowledged");
  assert.ok((totals.reads ?? 0) > SEEDS * 10, "few reads were answered");
  for (const fault of ["crash", "wipe", "replace", "rot", "sync-error", "one-way", "behead"]) {
    assert.ok((totals[fault] ?? 0) > 0, `no ${fault} happened`);
  }
});

test("the same seed gives the same run", async () => {
  for (const seed of [3, 14]) {
    assert.deepEqual(await simulate({ seed }), await simulate({ seed }));
  }
});

for (const planted of PLANTED_BUGS) {
  test(`the planted bug ${planted} is found`, async () => {
    for (let seed = 1; seed <= PLANTED_SEEDS; seed += 1) {
      const found = await simulate({ seed, planted }).then(
        () => false,
        () => true,
      );
      if (found) return;
    }
    assert.fail(`not found in ${PLANTED_SEEDS} seeds`);
  });
}

test("the history of figure 8 overwrites nothing that was committed", async () => {
  for (let seed = 1; seed <= HISTORIES; seed += 1) await figureEight(seed);
});

test(`the planted bug ${EARLIER_TERM} is found by that history, with every seed`, async () => {
  for (let seed = 1; seed <= HISTORIES; seed += 1) {
    await assert.rejects(
      figureEight(seed, EARLIER_TERM),
      (error) => error instanceof Violation && /applied/.test(error.message),
      `seed ${seed}`,
    );
  }
});
