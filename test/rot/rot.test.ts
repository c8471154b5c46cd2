// Damage to any file of a store is noticed or does no harm; `make rot` does 20,000 rounds, and
// test/cluster/rot.test.ts shows the repair.
import assert from "node:assert/strict";
import { test } from "node:test";
import { runSeed } from "../support/seeded-bytes.ts";
import { runRot } from "./rot-run.ts";

test("no damaged file makes a store give a wrong answer", async () => {
  const { violations, noticed } = await runRot(180, runSeed("rot of files"));
  assert.deepEqual(violations, []);
  for (const count of noticed.values()) assert.ok(count > 5, "damage is noticed");
  assert.equal(noticed.size, 3);
});
