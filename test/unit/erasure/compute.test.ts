// Encoding and rebuilding: every loss pattern, odd lengths, blocks, and what is refused.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { AssertionFailure, present } from "../../../services/lib/base/assert.ts";
import { isStoreError } from "../../../services/lib/base/errors.ts";
import { createErasureCompute } from "../../../services/lib/erasure/compute.ts";
import { startKernel } from "../../../services/lib/erasure/wasm/kernel.ts";
import { encodeByOracle, interpolateShard } from "./oracle.ts";

const compute = createErasureCompute();

/** `length` bytes that differ by `name`, the same on every run. */
function bytesOf(name: string, length: number): Uint8Array {
  return createHash("shake256", { outputLength: Math.max(1, length) })
    .update(name)
    .digest()
    .subarray(0, length);
}

function encoded(k: number, m: number, length: number): Uint8Array[] {
  const data = Array.from({ length: k }, (_, index) => bytesOf(`${k}+${m}/${index}`, length));
  // Parity buffers start dirty: encode must overwrite, not add.
  const parity = Array.from({ length: m }, () => new Uint8Array(length).fill(0xa5));
  compute.encode(data, parity);
  return [...data, ...parity];
}

/** Every set of `size` or fewer numbers below `count`. */
function* subsets(count: number, size: number, from = 0): Generator<number[]> {
  yield [];
  if (size === 0) return;
  for (let first = from; first < count; first += 1) {
    for (const rest of subsets(count, size - 1, first + 1)) yield [first, ...rest];
  }
}

function without(
  shards: readonly Uint8Array[],
  lost: readonly number[],
): (Uint8Array | undefined)[] {
  return shards.map((shard, index) => (lost.includes(index) ? undefined : shard));
}

test("agrees with the oracle on lengths around the steps of the kernel", () => {
  for (const [k, m] of [
    [4, 2],
    [2, 1],
    [3, 5],
    [6, 3],
    [16, 8],
  ] as const) {
    for (const length of [1, 2, 15, 16, 17, 31, 32, 33, 47, 64, 65, 127]) {
      const shards = encoded(k, m, length);
      assert.deepEqual(
        shards.slice(k).map((row) => Buffer.from(row)),
        encodeByOracle(shards.slice(0, k), m).map((row) => Buffer.from(row)),
        `${k}+${m}, ${length} bytes`,
      );
    }
  }
});

test("agrees with the oracle across block borders", () => {
  for (const length of [16_383, 16_384, 16_385, 32_768, 40_001]) {
    const shards = encoded(3, 2, length);
    const expected = encodeByOracle(shards.slice(0, 3), 2);
    shards.slice(3).forEach((row, index) => {
      assert.equal(Buffer.compare(row, present(expected[index], "row")), 0, `${length} bytes`);
    });
  }
});

for (const [k, m] of [
  [4, 2],
  [2, 1],
  [6, 3],
  [1, 2],
  [3, 3],
  [8, 4],
  [5, 1],
] as const) {
  test(`rebuilds every loss pattern of ${k}+${m}`, () => {
    for (const length of [1, 48, 1003]) {
      const shards = encoded(k, m, length);
      for (const lost of subsets(k + m, m)) {
        const rebuilt = compute.reconstruct(without(shards, lost), { k, m }, lost);
        lost.forEach((index, at) => {
          const same = Buffer.compare(present(rebuilt[at], "rebuilt"), present(shards[index], "s"));
          assert.equal(same, 0, `shard ${index} of ${lost.join()} at ${length} bytes`);
        });
      }
    }
  });
}

test("rebuilds random losses of any scheme and length", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 16 }),
      fc.integer({ min: 0, max: 8 }),
      fc.integer({ min: 0, max: 70_000 }),
      fc.array(fc.nat(23), { maxLength: 8 }),
      fc.array(fc.nat(23), { maxLength: 12 }),
      (k, m, length, losses, wishes) => {
        const shards = encoded(k, m, length);
        const lost = [...new Set(losses.map((index) => index % (k + m)))].slice(0, m);
        const wanted = wishes.map((index) => index % (k + m));
        const given = without(shards, lost);
        const before = given.map((shard) => shard?.slice());
        const rebuilt = compute.reconstruct(given, { k, m }, wanted);
        assert.equal(rebuilt.length, wanted.length);
        wanted.forEach((index, at) => {
          const row = present(rebuilt[at], "rebuilt");
          assert.equal(Buffer.compare(row, present(shards[index], "shard")), 0);
          assert.notEqual(row, given[index], "newly allocated");
        });
        given.forEach((shard, index) => {
          if (shard === undefined) return;
          assert.equal(Buffer.compare(shard, present(before[index], "before")), 0, "left alone");
        });
      },
    ),
    { numRuns: 150 },
  );
});

test("rebuilds 16+8 from sampled sets of 16, as the oracle does", () => {
  const shards = encoded(16, 8, 37);
  const all = [...shards.keys()];
  fc.assert(
    fc.property(fc.shuffledSubarray(all, { minLength: 16, maxLength: 16 }), (kept) => {
      const lost = all.filter((index) => !kept.includes(index));
      const rebuilt = compute.reconstruct(without(shards, lost), { k: 16, m: 8 }, lost);
      const points = kept.toSorted((a, b) => a - b);
      lost.forEach((index, at) => {
        const row = Buffer.from(present(rebuilt[at], "rebuilt"));
        assert.deepEqual(row, Buffer.from(present(shards[index], "shard")));
      });
      const first = present(lost[0], "lost");
      const known = points.map((point) => present(shards[point], "known"));
      const expected = interpolateShard(points, known, first);
      assert.deepEqual(Buffer.from(present(rebuilt[0], "rebuilt")), Buffer.from(expected));
    }),
    { numRuns: 200 },
  );
});

test("k = 1 replicates: each parity shard is the data", () => {
  const shards = encoded(1, 4, 100_001);
  for (const shard of shards) assert.equal(Buffer.compare(shard, present(shards[0], "data")), 0);
});

test("takes views at odd offsets of larger buffers and writes nothing beside them", () => {
  const backing = new Uint8Array(1000).fill(0xee);
  const data = [backing.subarray(1, 34), backing.subarray(35, 68)];
  const parity = [backing.subarray(101, 134)];
  data.forEach((cell, index) => {
    cell.set(bytesOf(`odd/${index}`, 33));
  });
  compute.encode(data, parity);
  const expected = encodeByOracle(data, 1);
  assert.deepEqual(Buffer.from(backing.slice(101, 134)), Buffer.from(present(expected[0], "row")));
  assert.equal(backing[100], 0xee);
  assert.equal(backing[134], 0xee);
});

test("tables of one pattern do not leak into the next, beyond the cache's size", () => {
  const shards = encoded(8, 4, 64);
  const patterns = [...subsets(12, 4)];
  assert.ok(patterns.length > 512, "more patterns than are kept");
  for (const lost of [...patterns, ...patterns.slice(0, 20)]) {
    const rebuilt = compute.reconstruct(without(shards, lost), { k: 8, m: 4 }, lost);
    const right = lost.every(
      (index, at) =>
        Buffer.compare(present(rebuilt[at], "rebuilt"), present(shards[index], "shard")) === 0,
    );
    assert.ok(right, lost.join());
  }
});

test("refuses to rebuild from fewer than k shards", () => {
  const shards = encoded(4, 2, 50);
  const given = without(shards, [0, 2, 5]);
  assert.throws(
    () => compute.reconstruct(given, { k: 4, m: 2 }, [0]),
    (error) => isStoreError(error, "corrupt") && /3 of 6/.test(error.message),
  );
  // Even when only known shards are wanted.
  assert.throws(
    () => compute.reconstruct(given, { k: 4, m: 2 }, [1]),
    (error) => isStoreError(error, "corrupt"),
  );
});

test("refuses cells of different lengths, too many cells and shards that do not exist", () => {
  const cell = new Uint8Array(8);
  const refused: (() => unknown)[] = [
    () => compute.encode([cell, new Uint8Array(9)], [cell]),
    () => compute.encode([cell, cell], [new Uint8Array(7)]),
    () => compute.encode([], [cell]),
    () => compute.encode(new Array<Uint8Array>(17).fill(cell), [cell]),
    () => compute.encode([cell, cell], new Array<Uint8Array>(9).fill(cell)),
    () => compute.reconstruct([cell, cell], { k: 2, m: 1 }, [2]),
    () => compute.reconstruct([cell, cell, undefined], { k: 2, m: 1 }, [3]),
    () => compute.reconstruct([cell, cell, undefined], { k: 2, m: 1 }, [-1]),
    () => compute.reconstruct([cell, new Uint8Array(9), undefined], { k: 2, m: 1 }, [2]),
  ];
  for (const attempt of refused) assert.throws(attempt, AssertionFailure);
});

test("a kernel with one byte changed does not start", () => {
  assert.ok(startKernel().memory.byteLength > 0);
  assert.throws(
    () => startKernel("AGFzbQEAAAA="),
    (error) => isStoreError(error, "internal") && /checksum/.test(error.message),
  );
});
