// The checksum of a cell is bound to its place; its values are a stored format.
import assert from "node:assert/strict";
import { test } from "node:test";
import { AssertionFailure } from "../../../services/lib/base/assert.ts";
import { cellChecksum } from "../../../services/lib/erasure/checksum.ts";

const chunkId = Uint8Array.from({ length: 16 }, (_, index) => index);
const cell = Buffer.from("a cell of a shard");

/** CRC-32 bit by bit: reflected polynomial 0xedb88320, as ISO-HDLC defines it. */
function crcByBits(bytes: Uint8Array): number {
  let register = 0xffffffff;
  for (const byte of bytes) {
    register ^= byte;
    for (let bit = 0; bit < 8; bit += 1) {
      register = (register >>> 1) ^ (register & 1 ? 0xedb88320 : 0);
    }
  }
  return (register ^ 0xffffffff) >>> 0;
}

test("is the CRC-32 of chunk id, shard and cell numbers, and bytes", () => {
  const name = Buffer.concat([chunkId, Buffer.from([3, 0, 0, 0]), Buffer.from([0x02, 0x01, 0, 0])]);
  const expected = crcByBits(Buffer.concat([name, cell]));
  assert.equal(cellChecksum(chunkId, 3, 258, cell), expected);
});

test("differs by chunk, shard, cell number and any bit of the bytes", () => {
  const right = cellChecksum(chunkId, 3, 7, cell);
  const other = chunkId.map((byte, index) => (index === 15 ? byte ^ 1 : byte));
  assert.notEqual(cellChecksum(other, 3, 7, cell), right);
  assert.notEqual(cellChecksum(chunkId, 4, 7, cell), right);
  assert.notEqual(cellChecksum(chunkId, 3, 8, cell), right);
  assert.notEqual(cellChecksum(chunkId, 7, 3, cell), right);
  assert.notEqual(cellChecksum(chunkId, 3, 7, cell.subarray(1)), right);
  for (let bit = 0; bit < cell.length * 8; bit += 1) {
    const flipped = Buffer.from(cell);
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.notEqual(cellChecksum(chunkId, 3, 7, flipped), right);
  }
});

test("refuses a chunk id that has not 16 bytes", () => {
  assert.throws(() => cellChecksum(chunkId.subarray(1), 0, 0, cell), AssertionFailure);
});
