// The checksum of a cell: CRC-32 (ISO-HDLC, as zlib computes it) over the cell's name and then its
// bytes. A cell that is intact but lies in the wrong shard or at the wrong place fails like a
// rotten one.
import { crc32 } from "node:zlib";
import { assert } from "../base/assert.ts";

export const CHUNK_ID_BYTES = 16;
const NAME_BYTES = CHUNK_ID_BYTES + 8;

/**
 * CRC-32, 0..2^32-1, over `chunkId` (16 bytes), `shardIndex` and `cellIndex` (the stripe's number),
 * both 32 bits little-endian, and `cell`. Stored and sent with every cell: the format never
 * changes.
 */
export function cellChecksum(
  chunkId: Uint8Array,
  shardIndex: number,
  cellIndex: number,
  cell: Uint8Array,
): number {
  assert(chunkId.byteLength === CHUNK_ID_BYTES, "cellChecksum: a chunk id has 16 bytes");
  const name = Buffer.allocUnsafe(NAME_BYTES);
  name.set(chunkId, 0);
  name.writeUInt32LE(shardIndex, CHUNK_ID_BYTES);
  name.writeUInt32LE(cellIndex, CHUNK_ID_BYTES + 4);
  return crc32(cell, crc32(name));
}
