// What a shard is called, who owns it and how long it is, as the storage node keeps it, and the
// checks that a description from a peer must pass before anything is stored under it.
import { asBuffer, toHex } from "../lib/base/bytes.ts";
import { StoreError } from "../lib/base/errors.ts";
import { CELL_BYTES_MAX, CHUNK_BYTES_MAX, KEY_BYTES_MAX } from "../lib/base/limits.ts";
import { CHUNK_ID_BYTES } from "../lib/erasure/checksum.ts";

export const MANIFEST_ID_BYTES = 16;
/** A chunk id and a shard index, big-endian: sorts as the index does. */
export const NAME_BYTES = CHUNK_ID_BYTES + 4;
/** Cells of one shard: bounds the table of checksums to 256 KiB. */
export const CELLS_MAX = 65_536;
const UINT32_MAX = 0xffff_ffff;

export interface ShardName {
  readonly chunkId: Uint8Array;
  readonly shardIndex: number;
}

export interface Owner {
  readonly bucketId: number;
  readonly key: Uint8Array;
  readonly manifestId: Uint8Array;
}

export interface ShardDescription {
  readonly name: ShardName;
  readonly owner: Owner;
  /** All cells together. */
  readonly shardBytes: number;
  /** Every cell but the last. */
  readonly cellBytes: number;
  /** Milliseconds since 1970, by the writer's clock. */
  readonly begunMs: number;
}

/** The 20 bytes that name a shard in the index and in tombstones; newly allocated. */
export function nameBytes(name: ShardName): Uint8Array {
  const bytes = Buffer.allocUnsafe(NAME_BYTES);
  bytes.set(name.chunkId, 0);
  bytes.writeUInt32BE(name.shardIndex, CHUNK_ID_BYTES);
  return bytes;
}

/** The name in its 20 bytes; copies them. */
export function nameFromBytes(bytes: Uint8Array): ShardName {
  const copy = Buffer.from(bytes);
  return {
    chunkId: copy.subarray(0, CHUNK_ID_BYTES),
    shardIndex: copy.readUInt32BE(CHUNK_ID_BYTES),
  };
}

/** A string that is the same for the same name and sorts as the bytes do; for maps in memory. */
export function nameText(name: ShardName): string {
  return asBuffer(nameBytes(name)).toString("latin1");
}

/** For messages and log lines. */
export function printName(name: ShardName): string {
  return `${toHex(name.chunkId)}/${name.shardIndex}`;
}

/** Cells of a shard, at least 1. */
export function cellCountOf(shard: Pick<ShardDescription, "shardBytes" | "cellBytes">): number {
  return Math.ceil(shard.shardBytes / shard.cellBytes);
}

/** Length of cell number `cell`. */
export function cellLengthOf(
  shard: Pick<ShardDescription, "shardBytes" | "cellBytes">,
  cell: number,
): number {
  return Math.min(shard.cellBytes, shard.shardBytes - cell * shard.cellBytes);
}

/** Throws StoreError "invalid" unless `name` is one. */
export function checkName(name: ShardName): void {
  if (name.chunkId.byteLength !== CHUNK_ID_BYTES) {
    throw new StoreError("invalid", `chunk id has ${name.chunkId.byteLength} bytes, not 16`);
  }
  checkInteger("shard index", name.shardIndex, 0, UINT32_MAX);
}

/** Throws StoreError "invalid" with the first thing that is wrong. */
export function checkDescription(shard: ShardDescription): void {
  checkName(shard.name);
  checkInteger("bucket id", shard.owner.bucketId, 0, UINT32_MAX);
  checkInteger("key bytes", shard.owner.key.byteLength, 1, KEY_BYTES_MAX);
  checkInteger("manifest id bytes", shard.owner.manifestId.byteLength, 16, MANIFEST_ID_BYTES);
  checkInteger("shard bytes", shard.shardBytes, 1, CHUNK_BYTES_MAX);
  checkInteger("cell bytes", shard.cellBytes, 1, CELL_BYTES_MAX);
  checkInteger("cells", cellCountOf(shard), 1, CELLS_MAX);
  checkInteger("begun time", shard.begunMs, 0, Number.MAX_SAFE_INTEGER);
}

function checkInteger(what: string, value: number, min: number, max: number): void {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return;
  throw new StoreError("invalid", `${what} must be an integer from ${min} to ${max}, not ${value}`);
}
