// What is late follows from how long cells take; disks that are late are left alone for a while.
import assert from "node:assert/strict";
import { test } from "node:test";
import { CellTimes } from "../../../services/lib/clients/cell-times.ts";

function bench() {
  let nowMs = 1000;
  const times = new CellTimes({ monotonicMs: () => nowMs });
  const pass = (ms: number): void => {
    nowMs += ms;
  };
  return { times, pass };
}

test("the time of a hedge follows what most cells take, not one slow disk, within bounds", () => {
  const { times } = bench();
  assert.equal(times.hedgeMs(), 400, "nothing is known yet");
  for (let round = 0; round < 30; round += 1) times.came(1, 5);
  assert.equal(times.hedgeMs(), 25);
  for (let round = 0; round < 20; round += 1) {
    for (const diskId of [1, 2, 3, 4]) times.came(diskId, 5);
    times.came(5, 900);
  }
  assert.equal(times.hedgeMs(), 25);
  // A third of them from another campus.
  for (let round = 0; round < 100; round += 1) times.came(1, round % 3 === 0 ? 40 : 1);
  assert.equal(times.hedgeMs(), 130);
  for (let round = 0; round < 100; round += 1) times.came(1, 0.1);
  assert.equal(times.hedgeMs(), 20);
  for (let round = 0; round < 100; round += 1) times.came(1, 3000);
  assert.equal(times.hedgeMs(), 400);
});

test("a late disk is asked last, longer and longer, until it is in time again", () => {
  const { times, pass } = bench();
  for (let round = 0; round < 30; round += 1) times.came(2, 5);
  for (const forMs of [1000, 2000, 4000, 8000, 16_000, 16_000]) {
    assert.ok(times.isPrompt(1));
    times.late(1);
    times.late(1);
    assert.ok(times.isPrompt(2), "the others are not touched");
    pass(forMs - 1);
    assert.ok(!times.isPrompt(1), `after less than ${forMs} ms`);
    times.came(1, 1);
    assert.ok(!times.isPrompt(1), "what was asked before it was late says nothing");
    pass(1);
  }
  times.came(1, 500);
  times.late(1);
  pass(15_999);
  assert.ok(!times.isPrompt(1), "a cell that came late does not make it good");
  pass(1);
  times.came(1, 5);
  times.late(1);
  pass(1000);
  assert.ok(times.isPrompt(1), "it begins anew after a cell in time");
});
