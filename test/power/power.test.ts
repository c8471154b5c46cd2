// A few power cuts of a whole server under load on real file systems; `make power` does a thousand.
import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { runSeed } from "../support/seeded-bytes.ts";
import { cannotCut } from "./loop-filesystems.ts";
import { PowerRun } from "./power-run.ts";

const seed = runSeed("power");
const STORES = [
  { kind: "ext4", directories: 1, cycles: 2 },
  { kind: "xfs", directories: 6, cycles: 1 },
] as const;

for (const { kind, directories, cycles } of STORES) {
  const skip = cannotCut(kind, tmpdir()) ?? false;
  const name = `the power goes, nothing acknowledged does (${kind}, directories: ${directories})`;
  test(name, { skip }, async () => {
    const run = new PowerRun({ kind, directories, seed, folder: tmpdir(), how: "process" });
    const stopped = (): void => {
      run.removeNow();
      process.exit(143);
    };
    process.once("SIGTERM", stopped);
    try {
      const { violations, cuts } = await run.run(cycles);
      assert.deepEqual(violations, []);
      assert.ok(cuts >= cycles);
    } finally {
      process.off("SIGTERM", stopped);
      await run.close();
    }
  });
}
