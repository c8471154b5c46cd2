// The Raft host in simulation: hundreds of seeded runs must hold, and every planted bug must be
// found.
import assert from "node:assert/strict";
import { test } from "node:test";
import { PLANTED_BUGS } from "./planted.ts";
import { type RunReport, simulate } from "./run.ts";

const SEEDS = 500;
/** Every planted bug is found within this many seeds. */
const PLANTED_SEEDS = 40;

test(`${SEEDS} seeds of faults lose, reorder and invent nothing, and heal`, async () => {
  const totals = new Map<string, number>();
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const report = await runSeed(seed);
    const { acknowledged, reads, faults } = report;
    for (const [name, count] of Object.entries({ acknowledged, reads, ...faults })) {
      totals.set(name, (totals.get(name) ?? 0) + count);
    }
  }
  // A run in which nothing happened would prove nothing.
  assert.ok((totals.get("acknowledged") ?? 0) > SEEDS * 20, "few commands were acknowledged");
  assert.ok((totals.get("reads") ?? 0) > SEEDS * 10, "few reads were answered");
  for (const fault of ["crash", "wipe", "replace", "rot", "sync-error", "one-way", "behead"]) {
    assert.ok((totals.get(fault) ?? 0) > 0, `no ${fault} happened`);
  }
});

async function runSeed(seed: number): Promise<RunReport> {
  try {
    return await simulate({ seed, brief: true });
  } catch (error) {
    const repeat = `node test/sim/raft/main.ts --seeds ${seed}..${seed} --brief --verbose`;
    throw new Error(`seed ${seed} failed; repeat: ${repeat}`, { cause: error });
  }
}

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
