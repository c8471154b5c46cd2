// Cells whose bytes were found right in this process, and as which cells. Whoever gets the very
// view that was checked need not go through its bytes again, provided that nobody wrote to them
// since: only views of memory that is filled once and then only read may be proven. A copy, or what
// came over the network, is another view and proves nothing.
import { assert } from "../base/assert.ts";
import { equalBytes } from "../base/bytes.ts";
import { cellChecksum } from "./checksum.ts";

/** Which cell of which shard. */
export interface CellPlace {
  readonly chunkId: Uint8Array;
  readonly shardIndex: number;
  readonly cellIndex: number;
}

/** Cells of one shard that follow one another: `cellBytes` each, but for the last of all. */
export interface RunPlace {
  readonly chunkId: Uint8Array;
  readonly shardIndex: number;
  readonly firstCell: number;
  readonly cellBytes: number;
}

interface Proof extends RunPlace {
  readonly checksums: readonly number[];
}

/** Forgets a view when nobody holds it any more. */
const proofs = new WeakMap<Uint8Array, Proof>();

/**
 * How many cells of `data`, from the first on, add up to their `checksums`; every byte of them is
 * gone through. If all do, `data` must never be written to any more. `place` and `checksums` are
 * kept.
 */
export function proveRun(place: RunPlace, data: Uint8Array, checksums: readonly number[]): number {
  const right = countRight(place, data, checksums);
  if (right === checksums.length) {
    const { chunkId, shardIndex, firstCell, cellBytes } = place;
    proofs.set(data, { chunkId, shardIndex, firstCell, cellBytes, checksums });
  }
  return right;
}

/** As `proveRun`, without going through bytes that were proven to be those very cells. */
export function countRightCells(
  place: RunPlace,
  data: Uint8Array,
  checksums: readonly number[],
): number {
  const proof = proofs.get(data);
  if (proof !== undefined && isProofOf(proof, place, checksums)) return checksums.length;
  return countRight(place, data, checksums);
}

/** As `proveRun` for one cell: whether it is right. */
export function proveCell(place: CellPlace, data: Uint8Array, checksum: number): boolean {
  return proveRun(runOf(place, data), data, [checksum]) === 1;
}

/** As `countRightCells` for one cell. */
export function isRightCell(place: CellPlace, data: Uint8Array, checksum: number): boolean {
  return countRightCells(runOf(place, data), data, [checksum]) === 1;
}

function runOf({ chunkId, shardIndex, cellIndex }: CellPlace, data: Uint8Array): RunPlace {
  return { chunkId, shardIndex, firstCell: cellIndex, cellBytes: data.byteLength };
}

function countRight(place: RunPlace, data: Uint8Array, checksums: readonly number[]): number {
  const { chunkId, shardIndex, firstCell, cellBytes } = place;
  assert(data.byteLength <= checksums.length * cellBytes, "proven cells: a checksum for each");
  for (const [at, checksum] of checksums.entries()) {
    const cell = data.subarray(at * cellBytes, (at + 1) * cellBytes);
    if (cellChecksum(chunkId, shardIndex, firstCell + at, cell) !== checksum) return at;
  }
  return checksums.length;
}

function isProofOf(proof: Proof, place: RunPlace, checksums: readonly number[]): boolean {
  if (proof.firstCell !== place.firstCell || proof.shardIndex !== place.shardIndex) return false;
  if (proof.checksums.length !== checksums.length) return false;
  // One cell is as long as its view, whatever others would be.
  if (checksums.length > 1 && proof.cellBytes !== place.cellBytes) return false;
  if (!equalBytes(proof.chunkId, place.chunkId)) return false;
  return proof.checksums.every((checksum, at) => checksum === checksums[at]);
}
