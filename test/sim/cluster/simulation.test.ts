// The whole cluster in simulation: a seed must hold and give the same run twice, and a planted bug
// must be found by the check that is meant for it. Runs have processes of their own: the test
// runner's hooks on every promise would cost half as much again.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { promisify } from "node:util";
import { PLANTED_BUGS } from "./planted/plant.ts";

const MAIN = join(import.meta.dirname, "main.ts");
const run = promisify(execFile);

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function simulate(...args: readonly string[]): Promise<Ended> {
  try {
    const { stdout, stderr } = await run(process.execPath, [MAIN, ...args]);
    return { code: 0, stdout, stderr };
  } catch (error) {
    // execFile rejects with what the process wrote and its code.
    const { code, stdout, stderr } = error as Ended;
    return { code, stdout, stderr };
  }
}

test("two runs of a seed are the same, event by event, and lose nothing", async () => {
  const { code, stdout, stderr } = await simulate("--seed", "1", "--twice");
  assert.equal(code, 0, stderr);
  const totals: Record<string, number> = JSON.parse(stdout.trim().split("\n").at(-1) ?? "{}");
  assert.equal(totals.runs, 1);
  // A run in which nothing happened would prove nothing.
  assert.ok((totals["put ok"] ?? 0) > 5, stdout);
  assert.ok((totals["get ok"] ?? 0) > 5, stdout);
});

/** Lines of seeds.txt: a seed, and the fault that it once found. */
const FOUND = readFileSync(join(import.meta.dirname, "seeds.txt"), "utf8").matchAll(
  /^(?<seed>\d+) +(?<fault>.+)$/gm,
);

for (const { groups: { seed = "", fault = "" } = {} } of FOUND) {
  test(`seed ${seed} holds: ${fault}`, async () => {
    const { code, stderr } = await simulate("--seed", seed);
    assert.equal(code, 0, stderr);
  });
}

/** A change of the product changes what a seed does: the next ones are tried too. */
const SEEDS = 5;
/** Run in every test run; all of them with DOLIUM_TEST_PLANTED=1 (`make planted`). */
const ALWAYS = new Set(["lost-compare-and-swap", "listing-skips", "garbage-kept"]);
const isFull = process.env.DOLIUM_TEST_PLANTED === "1";

for (const [planted, { what, seed, checks }] of PLANTED_BUGS) {
  const skip = !isFull && !ALWAYS.has(planted) && "make planted runs it";
  test(`the planted bug ${planted} is found by a check meant for it`, { skip }, async () => {
    const seeds = `${seed}..${seed + SEEDS - 1}`;
    const { code, stderr } = await simulate("--seeds", seeds, "--planted", planted);
    assert.equal(code, 1, `seeds ${seeds} are clean: ${what}`);
    const found = /Violation: (\w+):/.exec(stderr)?.[1] ?? "";
    assert.ok(
      checks.some((check) => check === found),
      `found by ${found}: ${stderr}`,
    );
  });
}
