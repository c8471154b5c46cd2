// Geometry: every byte of a body has one place, ranges find it, and small bodies are hardly padded.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { AssertionFailure, present } from "../../../services/lib/base/assert.ts";
import { isStoreError } from "../../../services/lib/base/errors.ts";
import { CELL_BYTES_MAX, CHUNK_BYTES_MAX } from "../../../services/lib/base/limits.ts";
import { createErasureCompute } from "../../../services/lib/erasure/compute.ts";
import {
  cellLength,
  checkScheme,
  chunkSizes,
  cutStripe,
  DEFAULT_CELL_BYTES,
  locate,
  type Scheme,
  shardBytes,
  spanViews,
  stripeBodyBytes,
  stripeBytes,
  stripeCount,
} from "../../../services/lib/erasure/geometry.ts";

const MIB = 1024 * 1024;

/** Data shards of `body`, built stripe by stripe as a writer does. */
function shardsOf(body: Uint8Array, scheme: Scheme): Uint8Array[] {
  const size = body.byteLength;
  const shards = Array.from({ length: scheme.k }, () => new Uint8Array(shardBytes(size, scheme)));
  for (let stripe = 0; stripe < stripeCount(size, scheme); stripe += 1) {
    const from = stripe * stripeBytes(scheme);
    const cells = cutStripe(
      body.subarray(from, from + stripeBodyBytes(size, scheme, stripe)),
      scheme,
    );
    cells.forEach((cell, index) => {
      assert.equal(cell.byteLength, cellLength(size, scheme, stripe));
      present(shards[index], "shard").set(cell, stripe * scheme.cellBytes);
    });
  }
  return shards;
}

/** Bytes [start, end) read back from the shards through `locate`. */
function readRange(
  shards: readonly Uint8Array[],
  size: number,
  scheme: Scheme,
  [start, end]: readonly [number, number],
): Buffer {
  const views = locate(size, scheme, { start, end }).flatMap((span) => {
    const cells = shards.map((shard) =>
      shard.subarray(span.shardOffset, span.shardOffset + span.cellBytes),
    );
    return spanViews(span, cells);
  });
  return Buffer.concat(views);
}

function countingBody(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, index) => (index * 167 + (index >> 8) * 31) & 0xff);
}

test("every range of every small size reads back, for cells of a few bytes", () => {
  for (const scheme of [
    { k: 1, m: 2, cellBytes: 3 },
    { k: 3, m: 1, cellBytes: 2 },
    { k: 4, m: 2, cellBytes: 1 },
    { k: 4, m: 2, cellBytes: 4 },
  ]) {
    for (let size = 1; size <= 2 * stripeBytes(scheme) + 3; size += 1) {
      const body = countingBody(size);
      const shards = shardsOf(body, scheme);
      for (let start = 0; start < size; start += 1) {
        for (let end = start + 1; end <= size; end += 1) {
          const read = readRange(shards, size, scheme, [start, end]);
          assert.ok(read.equals(body.subarray(start, end)), `${size} [${start}, ${end})`);
        }
      }
    }
  }
});

test("random ranges of random sizes and schemes read back and name no byte twice", () => {
  fc.assert(
    fc.property(
      fc.record({
        k: fc.integer({ min: 1, max: 16 }),
        m: fc.integer({ min: 0, max: 8 }),
        cellBytes: fc.integer({ min: 1, max: 700 }),
      }),
      fc.integer({ min: 1, max: 60_000 }),
      fc.nat(),
      fc.nat(),
      (scheme, size, a, b) => {
        const start = Math.min(a % size, b % size);
        const end = Math.max(a % size, b % size) + 1;
        const body = countingBody(size);
        const read = readRange(shardsOf(body, scheme), size, scheme, [start, end]);
        assert.ok(read.equals(body.subarray(start, end)));
        const spans = locate(size, scheme, { start, end });
        assert.equal(present(spans[0], "span").bodyOffset, start);
        for (const { stripe, shardOffset, cellBytes, spans: cells } of spans) {
          assert.equal(cellBytes, cellLength(size, scheme, stripe));
          assert.ok(shardOffset + cellBytes <= shardBytes(size, scheme));
          assert.ok(cells.every(({ from, to }) => from >= 0 && from < to && to <= cellBytes));
        }
      },
    ),
    { numRuns: 300 },
  );
});

test("a range over lost shards reads back after reconstruction", () => {
  const scheme = { k: 4, m: 2, cellBytes: 1024 };
  const body = countingBody(9_777);
  const data = shardsOf(body, scheme);
  const parity = [0, 1].map(() => new Uint8Array(shardBytes(body.byteLength, scheme)));
  // Coding whole shards at once is coding every stripe: cells of a stripe share their offsets.
  const compute = createErasureCompute();
  compute.encode(data, parity);
  const known = [undefined, data[1], undefined, data[3], ...parity];
  const [first, third] = compute.reconstruct(known, scheme, [0, 2]);
  const shards = [first, data[1], third, data[3]].map((shard) => present(shard, "shard"));
  const read = readRange(shards, body.byteLength, scheme, [0, body.byteLength]);
  assert.ok(read.equals(body));
});

test("shards together exceed the body by less than k bytes", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: CHUNK_BYTES_MAX }),
      fc.integer({ min: 1, max: 16 }),
      fc.integer({ min: 1, max: CELL_BYTES_MAX }),
      (size, k, cellBytes) => {
        const scheme = { k, m: 2, cellBytes };
        const total = k * shardBytes(size, scheme);
        assert.ok(total >= size && total < size + k, `${total} for ${size}`);
        const last = stripeCount(size, scheme) - 1;
        assert.ok(cellLength(size, scheme, last) <= cellBytes);
        assert.ok(stripeBodyBytes(size, scheme, last) >= 1);
      },
    ),
  );
});

test("golden places: a chunk of 32 MiB and a small one at 4+2 with 128 KiB cells", () => {
  const scheme = { k: 4, m: 2, cellBytes: DEFAULT_CELL_BYTES };
  assert.equal(stripeCount(32 * MIB, scheme), 64);
  assert.equal(shardBytes(32 * MIB, scheme), 8 * MIB);
  assert.equal(stripeCount(100_001, scheme), 1);
  assert.equal(shardBytes(100_001, scheme), 25_001);
  assert.equal(shardBytes(4 * DEFAULT_CELL_BYTES + 1, scheme), DEFAULT_CELL_BYTES + 1);
  assert.deepEqual(locate(600_000, scheme, { start: 524_287, end: 524_290 }), [
    {
      stripe: 0,
      cellBytes: 131_072,
      shardOffset: 0,
      bodyOffset: 524_287,
      spans: [{ shardIndex: 3, from: 131_071, to: 131_072 }],
    },
    {
      stripe: 1,
      cellBytes: 18_928,
      shardOffset: 131_072,
      bodyOffset: 524_288,
      spans: [{ shardIndex: 0, from: 0, to: 2 }],
    },
  ]);
});

test("cutStripe gives views where the body fills the cell and zeros past its end", () => {
  const body = countingBody(5);
  const cells = cutStripe(body, { k: 4, m: 1, cellBytes: 100 });
  assert.deepEqual(
    cells.map((cell) => [...cell]),
    [[...body.subarray(0, 2)], [...body.subarray(2, 4)], [present(body[4], "byte"), 0], [0, 0]],
  );
  assert.equal(present(cells[0], "cell").buffer, body.buffer);
});

test("chunkSizes cuts a body into full chunks and a rest", () => {
  assert.deepEqual(chunkSizes(0), []);
  assert.deepEqual(chunkSizes(1), [1]);
  assert.deepEqual(chunkSizes(32 * MIB), [32 * MIB]);
  assert.deepEqual(chunkSizes(65 * MIB), [32 * MIB, 32 * MIB, MIB]);
  assert.deepEqual(chunkSizes(10, 4), [4, 4, 2]);
  for (const attempt of [
    () => chunkSizes(-1),
    () => chunkSizes(1.5),
    () => chunkSizes(10, 0),
    () => chunkSizes(10, CHUNK_BYTES_MAX + 1),
  ]) {
    assert.throws(attempt, AssertionFailure);
  }
});

test("refuses schemes, sizes and ranges outside the limits with a sentence", () => {
  const good = { k: 4, m: 2, cellBytes: 1024 };
  checkScheme(good);
  const refused: (() => unknown)[] = [
    () => checkScheme({ ...good, k: 0 }),
    () => checkScheme({ ...good, k: 17 }),
    () => checkScheme({ ...good, m: -1 }),
    () => checkScheme({ ...good, m: 9 }),
    () => checkScheme({ ...good, cellBytes: 0 }),
    () => checkScheme({ ...good, cellBytes: CELL_BYTES_MAX + 1 }),
    () => checkScheme({ ...good, k: 2.5 }),
    () => stripeCount(0, good),
    () => shardBytes(CHUNK_BYTES_MAX + 1, good),
    () => locate(10, good, { start: 3, end: 3 }),
    () => locate(10, good, { start: 3, end: 11 }),
    () => locate(10, good, { start: -1, end: 2 }),
    () => locate(10, good, { start: 0.5, end: 2 }),
  ];
  for (const attempt of refused) {
    assert.throws(attempt, (error) => isStoreError(error, "invalid") && error.message.length > 10);
  }
});
