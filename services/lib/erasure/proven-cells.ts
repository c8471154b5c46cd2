// Cells whose bytes were found right in this process, and as which cell. Whoever gets the very view
// that was checked need not go through its bytes again, provided that nobody wrote to them since:
// only views of memory that is filled once and then only read may be proven. A copy, or what came
// over the network, is another view and proves nothing.
import { equalBytes } from "../base/bytes.ts";
import { cellChecksum } from "./checksum.ts";

/** Which cell of which shard. */
export interface CellPlace {
  readonly chunkId: Uint8Array;
  readonly shardIndex: number;
  readonly cellIndex: number;
}

interface Proof extends CellPlace {
  readonly checksum: number;
}

/** Forgets a view when nobody holds it any more. */
const proofs = new WeakMap<Uint8Array, Proof>();

/**
 * Whether `data` adds up to `checksum` as that cell; every byte is gone through. If it does, `data`
 * must never be written to any more. `place` is kept.
 */
export function proveCell(place: CellPlace, data: Uint8Array, checksum: number): boolean {
  const { chunkId, shardIndex, cellIndex } = place;
  if (cellChecksum(chunkId, shardIndex, cellIndex, data) !== checksum) return false;
  proofs.set(data, { chunkId, shardIndex, cellIndex, checksum });
  return true;
}

/** As `proveCell`, without going through bytes that were proven to be that very cell. */
export function isRightCell(place: CellPlace, data: Uint8Array, checksum: number): boolean {
  const proof = proofs.get(data);
  if (proof !== undefined && isProofOf(proof, place)) return proof.checksum === checksum;
  const { chunkId, shardIndex, cellIndex } = place;
  return cellChecksum(chunkId, shardIndex, cellIndex, data) === checksum;
}

function isProofOf(proof: Proof, { chunkId, shardIndex, cellIndex }: CellPlace): boolean {
  if (proof.cellIndex !== cellIndex || proof.shardIndex !== shardIndex) return false;
  return equalBytes(proof.chunkId, chunkId);
}
