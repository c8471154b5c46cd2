// The durability model against closed forms and against dice: the same shards failing and being
// repaired one event after another.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type DurabilityInputs, durabilityOf } from "../../../services/lib/placement/durability.ts";

const HOURS = 8766;
const seed = Number(process.env.DOLIUM_TEST_SEED ?? Date.now() % 2 ** 31);

function close(actual: number, expected: number, tolerance: number): void {
  const off = Math.abs(actual / expected - 1);
  assert.ok(off <= tolerance, `${actual} is ${off} away from ${expected}; seed ${seed}`);
}

const mirror: DurabilityInputs = {
  k: 1,
  m: 1,
  diskFailuresPerYear: 0.02,
  rebuildHours: 10,
  badShardsPerYear: 0,
  findHours: 84,
};

test("two copies last as the textbook says", () => {
  // Patterson, Gibson and Katz 1988: (3 rate + repairs) / (2 rate squared).
  const [rate, repairs] = [0.02, HOURS / 10];
  close(durabilityOf(mirror).meanYearsToLoss, (3 * rate + repairs) / (2 * rate * rate), 1e-12);
});

test("without parity the first failure loses", () => {
  const { meanYearsToLoss, lossPerYear } = durabilityOf({ ...mirror, k: 4, m: 0 });
  close(meanYearsToLoss, 1 / (4 * 0.02), 1e-12);
  close(lossPerYear, 1 - Math.exp(-0.08), 1e-12);
});

test("rates far apart lose no digits", () => {
  // Three failures on end, each among fewer disks, each before the repairs: the leading term.
  const inputs = { ...mirror, k: 4, m: 2, diskFailuresPerYear: 1e-6, rebuildHours: 0.01 };
  const repairs = HOURS / 0.01;
  const expected = (2 * repairs ** 2) / (6 * 5 * 4 * 1e-6 ** 3);
  close(durabilityOf(inputs).meanYearsToLoss, expected, 1e-6);
});

test("every parity shard, faster repair and faster scrub make it last longer", () => {
  const base = { ...mirror, k: 4, m: 2, badShardsPerYear: 0.01 };
  const { nines } = durabilityOf(base);
  assert.ok(durabilityOf({ ...base, m: 3 }).nines > nines + 2);
  assert.ok(durabilityOf({ ...base, rebuildHours: 5 }).nines > nines);
  assert.ok(durabilityOf({ ...base, findHours: 8 }).nines > nines);
  assert.ok(durabilityOf({ ...base, badShardsPerYear: 0.1 }).nines < nines);
});

test("dice agree", () => {
  const inputs: DurabilityInputs = {
    k: 3,
    m: 2,
    diskFailuresPerYear: 3,
    rebuildHours: 400,
    badShardsPerYear: 2,
    findHours: 900,
  };
  const random = generator(seed);
  const runs = 20_000;
  let years = 0;
  for (let run = 0; run < runs; run += 1) years += lifeOf(inputs, random);
  // Five times the standard error of a mean of nearly exponential lives.
  close(years / runs, durabilityOf(inputs).meanYearsToLoss, 5 / Math.sqrt(runs));
});

test("the page about durability says what the model says", () => {
  const page = readFileSync(join(import.meta.dirname, "../../../docs/durability.md"), "utf8");
  const hours = [1, 6, 24, 72];
  const rows = [...page.matchAll(/^\| (\d)\+(\d) \| (\d[\d. |]*) \|$/gm)].filter(
    ([, , , cells = ""]) => cells.split(" | ").length === hours.length,
  );
  assert.equal(rows.length, 5);
  for (const [, k, m, cells = ""] of rows) {
    const nines = hours.map((rebuildHours) =>
      durabilityOf({
        k: Number(k),
        m: Number(m),
        diskFailuresPerYear: 0.015,
        rebuildHours,
        badShardsPerYear: 1.6e-5,
        findHours: 84,
      }).nines.toFixed(1),
    );
    assert.deepEqual(cells.split(" | "), nines, `${k}+${m}`);
  }
});

test("refuses what is no policy", () => {
  assert.throws(() => durabilityOf({ ...mirror, k: 0 }));
  assert.throws(() => durabilityOf({ ...mirror, m: -1 }));
  assert.throws(() => durabilityOf({ ...mirror, rebuildHours: 0 }));
  assert.throws(() => durabilityOf({ ...mirror, diskFailuresPerYear: Number.NaN }));
});

/** Years until fewer than k shards are whole; each shard by itself, nothing of the chain. */
function lifeOf(inputs: DurabilityInputs, random: () => number): number {
  const { k, m } = inputs;
  const shards = new Array<"well" | "lost" | "bad">(k + m).fill("well");
  const wait = (rate: number): number => -Math.log(1 - random()) / rate;
  for (let now = 0; ; ) {
    const events: (readonly [number, () => void])[] = [];
    for (const [at, state] of shards.entries()) {
      const becomes = (next: "well" | "lost" | "bad") => () => {
        shards[at] = next;
      };
      if (state !== "lost") events.push([wait(inputs.diskFailuresPerYear), becomes("lost")]);
      if (state === "well") events.push([wait(inputs.badShardsPerYear), becomes("bad")]);
      if (state === "lost") events.push([wait(HOURS / inputs.rebuildHours), becomes("well")]);
      if (state === "bad") events.push([wait(HOURS / inputs.findHours), becomes("well")]);
    }
    // Exponential waits have no memory, so they may be drawn anew after each event.
    const [first] = events.toSorted(([a], [b]) => a - b);
    if (first === undefined) return now;
    now += first[0];
    first[1]();
    if (shards.filter((state) => state === "well").length < k) return now;
  }
}

/** mulberry32: enough for dice. */
function generator(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
