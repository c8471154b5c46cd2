// A short run of every fuzz target (`make fuzz` runs them long), and that a target which misbehaves
// is found out.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { S3Error } from "../../../services/lib/s3/errors.ts";
import { type FuzzTarget, fuzz } from "../../fuzz/fuzz.ts";
import { inputAt } from "../../fuzz/mutator.ts";
import { TARGETS } from "../../fuzz/targets.ts";

const INPUTS = 20_000;
const SEED = 20261121;

function spin(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

describe("targets", () => {
  assert.equal(TARGETS.length, 9);
  for (const target of TARGETS) {
    test(`${target.name}: ${INPUTS} inputs of seed ${SEED}`, () => {
      const { outcomes } = fuzz(target, { seed: SEED, inputs: INPUTS });
      const all = [...outcomes.values()].reduce((sum, count) => sum + count, 0);
      assert.equal(all, INPUTS);
      // Inputs that never get past the first check try nothing behind it.
      assert.ok(outcomes.size >= 3, JSON.stringify([...outcomes]));
    });

    test(`${target.name}: takes its seeds, or refuses them in words`, () => {
      for (const seed of target.seeds) {
        try {
          target.run(seed);
        } catch (error) {
          assert.ok(error instanceof S3Error, String(error));
        }
      }
    });
  }
});

describe("the fuzzer", () => {
  const target = (run: FuzzTarget["run"]): FuzzTarget => ({
    name: "own",
    seeds: [Buffer.from("abc")],
    words: [Buffer.from("!")],
    bytesMax: 100,
    run,
  });

  test("gives the same inputs for the same seed, and others for another", () => {
    const corpus = target(() => ({ word: "" }));
    const inputs = (seed: number) =>
      Array.from({ length: 50 }, (_, index) =>
        Buffer.from(inputAt(corpus, seed, index)).toString("hex"),
      );
    assert.deepEqual(inputs(1), inputs(1));
    assert.notDeepEqual(inputs(1), inputs(2));
    assert.ok(new Set(inputs(1)).size > 25);
  });

  test("reports what is thrown, and how to repeat it", () => {
    const bad = target((input) => {
      if (input.includes(0x21)) throw new TypeError("a mistake");
      throw new S3Error("MalformedPolicy");
    });
    assert.throws(
      () => fuzz(bad, { seed: 1, inputs: 1000 }),
      (error: Error) => {
        const [, from] = /--seed 1 --from (\d+) --inputs 1/.exec(error.message) ?? [];
        assert.ok(from !== undefined, error.message);
        const again = { seed: 1, inputs: 1, from: Number(from) };
        assert.throws(() => fuzz(bad, again), /input '.*!/);
        return error.cause instanceof TypeError;
      },
    );
  });

  test("reports what a check finds, whose time does not count", () => {
    const wrong = target(() => ({ word: "x", check: () => assert.fail("wrong") }));
    assert.throws(() => fuzz(wrong, { seed: 1, inputs: 1 }), /--from 0/);
    const thorough = target(() => ({ word: "x", check: () => spin(60) }));
    assert.equal(fuzz(thorough, { seed: 1, inputs: 1 }).outcomes.get("x"), 1);
  });

  test("reports answers of the 500s, and calls that take too long", () => {
    const failing = target(() => {
      throw new S3Error("InternalError");
    });
    assert.throws(() => fuzz(failing, { seed: 1, inputs: 1 }), /--from 0/);
    const slow = target(() => {
      spin(60);
      return { word: "slow" };
    });
    assert.throws(() => fuzz(slow, { seed: 1, inputs: 1 }), /: \d+\.\d ms/);
  });
});
