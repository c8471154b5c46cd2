// Random runs against the promises of Raft: one leader a term, one value an index, reads that miss
// nothing acknowledged, catching up once faults end, and the same trace for the same seed.
// RAFT_SEEDS sets the number of runs, RAFT_SEED a single one.
import assert from "node:assert/strict";
import { test } from "node:test";
import { compileRaftCore } from "../../../services/lib/raft/core.ts";
import { Chaos } from "./chaos.ts";

const module = compileRaftCore();
const STEPS = 1500;

function run(seed: number): Chaos {
  const chaos = new Chaos(seed, module);
  try {
    for (let step = 0; step < STEPS; step += 1) chaos.step();
    chaos.settle();
  } catch (error) {
    throw new Error(`seed ${seed} (RAFT_SEED=${seed} runs it alone)`, { cause: error });
  }
  return chaos;
}

test("random runs keep the promises of Raft", () => {
  const only = process.env.RAFT_SEED;
  const count = Number(process.env.RAFT_SEEDS ?? "40");
  const base = Math.floor(Math.random() * 2 ** 31);
  const seeds =
    only === undefined ? Array.from({ length: count }, (_, n) => base + n) : [Number(only)];
  const sums = { proposed: 0, restarts: 0, snapshots: 0, members: 0, reads: 0, leaders: 0 };
  for (const seed of seeds) {
    const { counts } = run(seed);
    for (const key of Object.keys(sums)) {
      const name = key as keyof typeof sums;
      sums[name] += counts[name];
    }
  }
  console.log(`seeds ${base}..${base + count - 1}: ${JSON.stringify(sums)}`);
  if (only !== undefined) return;
  // A run that does nothing would pass too.
  for (const [name, sum] of Object.entries(sums))
    assert.ok(sum > count / 8, `${name} is exercised`);
});

test("the same seed gives the same trace, another seed another", () => {
  const digest = (seed: number): string => run(seed).trace.digest("hex");
  const first = digest(4711);
  assert.equal(digest(4711), first);
  assert.notEqual(digest(4712), first);
});
