// A view that was checked need not be gone through again, but only as the very cell it was checked
// to be; other views of the same bytes, other places and other checksums are.
import assert from "node:assert/strict";
import { test } from "node:test";
import { cellChecksum } from "../../../services/lib/erasure/checksum.ts";
import {
  countRightCells,
  isRightCell,
  proveCell,
  proveRun,
} from "../../../services/lib/erasure/proven-cells.ts";

const chunkId = Uint8Array.from({ length: 16 }, (_, index) => index);
const place = { chunkId, shardIndex: 3, cellIndex: 7 };

function checkedCell() {
  const data = new Uint8Array(Buffer.from("a cell of a shard"));
  const checksum = cellChecksum(chunkId, place.shardIndex, place.cellIndex, data);
  return { data, checksum };
}

test("a cell is right when its bytes, its place and its checksum fit", () => {
  const { data, checksum } = checkedCell();
  for (const check of [isRightCell, proveCell]) {
    assert.equal(check(place, data.slice(), checksum), true);
    assert.equal(check(place, data.slice(1), checksum), false);
    assert.equal(check({ ...place, cellIndex: 8 }, data.slice(), checksum), false);
    assert.equal(check(place, data.slice(), checksum ^ 1), false);
  }
});

test("bytes of a proven view are not gone through again", () => {
  const { data, checksum } = checkedCell();
  assert.equal(proveCell(place, data, checksum), true);
  // Nobody may do that; it shows whether the bytes are looked at.
  data[0] = 0;
  assert.equal(isRightCell({ ...place, chunkId: chunkId.slice() }, data, checksum), true);
  assert.equal(isRightCell(place, data.subarray(), checksum), false, "another view");
  assert.equal(isRightCell(place, data.slice(), checksum), false, "a copy");
});

test("a proof is for one place and one checksum", () => {
  const { data, checksum } = checkedCell();
  proveCell(place, data, checksum);
  const other = chunkId.map((byte, index) => (index === 15 ? byte ^ 1 : byte));
  assert.equal(isRightCell({ ...place, chunkId: other }, data, checksum), false);
  assert.equal(isRightCell({ ...place, shardIndex: 4 }, data, checksum), false);
  assert.equal(isRightCell({ ...place, cellIndex: 6 }, data, checksum), false);
  assert.equal(isRightCell(place, data, checksum ^ 1), false);
});

test("bytes that do not add up prove nothing", () => {
  const { data, checksum } = checkedCell();
  data[4] = (data[4] ?? 0) ^ 1;
  assert.equal(proveCell(place, data, checksum), false);
  assert.equal(isRightCell(place, data, checksum), false);
});

test("of a run, the cells before the first wrong one count; only a whole run is proven", () => {
  const run = { chunkId, shardIndex: 2, firstCell: 4, cellBytes: 10 };
  const data = Uint8Array.from({ length: 25 }, (_, at) => at);
  const checksums = [0, 1, 2].map((at) =>
    cellChecksum(chunkId, 2, 4 + at, data.subarray(at * 10, at * 10 + 10)),
  );
  assert.equal(countRightCells(run, data, checksums), 3);
  data[12] = 99;
  assert.equal(proveRun(run, data, checksums), 1);
  assert.equal(countRightCells(run, data, checksums), 1, "what was wrong is gone through again");
  data[12] = 12;
  assert.equal(proveRun(run, data, checksums), 3);
  // Nobody may do this: it shows whether the bytes were gone through again.
  data[12] = 99;
  assert.equal(countRightCells(run, data, [...checksums]), 3, "proven");
  for (const other of [{ firstCell: 5 }, { shardIndex: 3 }, { cellBytes: 11 }]) {
    assert.notEqual(countRightCells({ ...run, ...other }, data, checksums), 3);
  }
  assert.equal(countRightCells(run, data, [checksums[0] ?? 0, 7, checksums[2] ?? 0]), 1);
  assert.throws(() => countRightCells({ ...run, cellBytes: 8 }, data, checksums), /a checksum/);
});
