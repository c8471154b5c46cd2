// Values of the index as they are stored. Each ends in a CRC-32 over its key and itself, because
// LevelDB notices neither rot nor a value under the wrong key. Numbers are little-endian, keys sort
// as bytes.
import { crc32 } from "node:zlib";
import { asBuffer, copyBytes, toSafeNumber } from "../lib/base/bytes.ts";
import { StoreError } from "../lib/base/errors.ts";
import { layoutOf } from "./record-format.ts";
import type { SegmentStats } from "./segment.ts";
import type { ShardPlace } from "./segment-scan.ts";
import type { Position } from "./segment-set.ts";
import { nameBytes, nameFromBytes, type ShardDescription, type ShardName } from "./shard-types.ts";

/** Where a shard lies. */
export interface IndexEntry {
  readonly shard: ShardDescription;
  readonly segment: number;
  readonly offset: number;
  readonly tableCrc: number;
  readonly sequence: number;
}

export interface BadShard {
  readonly name: ShardName;
  readonly cursor: number;
  readonly reason: string;
}

export interface Checkpoint {
  readonly position: Position;
  readonly sequence: number;
  readonly badCursor: number;
  /** Where the scrubber stands in the order of names; empty at the start. */
  readonly scrubbedTo: Uint8Array;
  /** Kept under a key of its own; the oldest releases have none. */
  readonly scrub: ScrubRecord;
}

/** What the scrubber has done on this disk, over restarts. */
export interface ScrubRecord {
  readonly passes: number;
  /** When a pass last ended, milliseconds since 1970; 0: never. */
  readonly completedMs: number;
  /** Passes asked for by an operator, by number: the last that was begun, and that was done. */
  readonly askedBegun: number;
  readonly askedDone: number;
}

export const NO_SCRUB: ScrubRecord = { passes: 0, completedMs: 0, askedBegun: 0, askedDone: 0 };

export interface StoredStats extends SegmentStats {
  readonly bytes: number;
}

const VERSION = 1;
const ENTRY_FIXED_BYTES = 65;
const REASON_BYTES_MAX = 200;

const PREFIX = {
  shard: 0x73,
  bad: 0x62,
  segment: 0x67,
  checkpoint: 0x6d,
  scrub: 0x6e,
  doubt: 0x64,
} as const;
export const CHECKPOINT_KEY: Uint8Array = Uint8Array.of(PREFIX.checkpoint);
export const SCRUB_KEY: Uint8Array = Uint8Array.of(PREFIX.scrub);
export const DOUBT_KEY: Uint8Array = Uint8Array.of(PREFIX.doubt);
export const SHARD_RANGE = { from: Uint8Array.of(0x73), to: Uint8Array.of(0x74) } as const;
export const BAD_RANGE = { from: Uint8Array.of(0x62), to: Uint8Array.of(0x63) } as const;
export const SEGMENT_RANGE = { from: Uint8Array.of(0x67), to: Uint8Array.of(0x68) } as const;

export function shardKey(name: ShardName): Uint8Array {
  return prefixed(PREFIX.shard, nameBytes(name));
}

export function badKey(name: ShardName): Uint8Array {
  return prefixed(PREFIX.bad, nameBytes(name));
}

export function segmentKey(number: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(number);
  return prefixed(PREFIX.segment, bytes);
}

function prefixed(prefix: number, rest: Uint8Array): Uint8Array {
  const key = Buffer.allocUnsafe(1 + rest.byteLength);
  key[0] = prefix;
  key.set(rest, 1);
  return key;
}

/** The name in a shard's or bad shard's key. */
export function nameInKey(key: Uint8Array): ShardName {
  return nameFromBytes(key.subarray(1));
}

export function numberInKey(key: Uint8Array): number {
  return asBuffer(key).readUInt32BE(1);
}

export function placeOf(entry: IndexEntry): ShardPlace {
  const layout = layoutOf({ kind: "shard", shard: entry.shard, writtenMs: 0 });
  return { shard: entry.shard, offset: entry.offset, layout, tableCrc: entry.tableCrc };
}

export function recordBytesOf(entry: IndexEntry): number {
  return placeOf(entry).layout.recordBytes;
}

export function encodeEntry(key: Uint8Array, entry: IndexEntry): Uint8Array {
  const { shard } = entry;
  const keyBytes = shard.owner.key.byteLength;
  const bytes = Buffer.alloc(ENTRY_FIXED_BYTES + keyBytes + 4);
  bytes.writeUInt8(VERSION, 0);
  bytes.writeUInt32LE(entry.segment, 1);
  bytes.writeBigUInt64LE(BigInt(entry.offset), 5);
  bytes.writeUInt32LE(entry.tableCrc, 13);
  bytes.writeBigUInt64LE(BigInt(entry.sequence), 17);
  bytes.writeUInt32LE(shard.shardBytes, 25);
  bytes.writeUInt32LE(shard.cellBytes, 29);
  bytes.writeBigUInt64LE(BigInt(shard.begunMs), 33);
  bytes.writeUInt32LE(shard.owner.bucketId, 41);
  bytes.set(shard.owner.manifestId, 45);
  bytes.writeUInt32LE(keyBytes, 61);
  bytes.set(shard.owner.key, ENTRY_FIXED_BYTES);
  return sealed(key, bytes);
}

export function decodeEntry(key: Uint8Array, value: Uint8Array): IndexEntry {
  const bytes = opened(key, value);
  if (bytes.byteLength < ENTRY_FIXED_BYTES || bytes.readUInt8(0) !== VERSION)
    throw damaged("entry");
  const shard: ShardDescription = {
    name: nameInKey(key),
    owner: {
      bucketId: bytes.readUInt32LE(41),
      key: copyBytes(bytes.subarray(ENTRY_FIXED_BYTES)),
      manifestId: copyBytes(bytes.subarray(45, 61)),
    },
    shardBytes: bytes.readUInt32LE(25),
    cellBytes: bytes.readUInt32LE(29),
    begunMs: toSafeNumber(bytes.readBigUInt64LE(33)),
  };
  return {
    shard,
    segment: bytes.readUInt32LE(1),
    offset: toSafeNumber(bytes.readBigUInt64LE(5)),
    tableCrc: bytes.readUInt32LE(13),
    sequence: toSafeNumber(bytes.readBigUInt64LE(17)),
  };
}

export function encodeBad(key: Uint8Array, bad: BadShard): Uint8Array {
  const reason = Buffer.from(bad.reason, "utf8").subarray(0, REASON_BYTES_MAX);
  const bytes = Buffer.alloc(8 + reason.byteLength + 4);
  bytes.writeBigUInt64LE(BigInt(bad.cursor), 0);
  bytes.set(reason, 8);
  return sealed(key, bytes);
}

export function decodeBad(key: Uint8Array, value: Uint8Array): BadShard {
  const bytes = opened(key, value);
  if (bytes.byteLength < 8) throw damaged("bad shard");
  return {
    name: nameInKey(key),
    cursor: toSafeNumber(bytes.readBigUInt64LE(0)),
    reason: bytes.subarray(8).toString("utf8"),
  };
}

export function encodeStats(key: Uint8Array, stats: StoredStats): Uint8Array {
  const bytes = Buffer.alloc(32 + 4);
  const fields = [stats.bytes, stats.liveBytes, stats.liveCount, stats.tombstoneBytes];
  fields.forEach((field, index) => {
    bytes.writeBigUInt64LE(BigInt(field), index * 8);
  });
  return sealed(key, bytes);
}

export function decodeStats(key: Uint8Array, value: Uint8Array): StoredStats {
  const bytes = opened(key, value);
  if (bytes.byteLength !== 32) throw damaged("segment");
  const field = (index: number): number => toSafeNumber(bytes.readBigUInt64LE(index * 8));
  return { bytes: field(0), liveBytes: field(1), liveCount: field(2), tombstoneBytes: field(3) };
}

export function encodeCheckpoint(checkpoint: Omit<Checkpoint, "scrub">): Uint8Array {
  const { position, scrubbedTo } = checkpoint;
  const bytes = Buffer.alloc(28 + scrubbedTo.byteLength + 4);
  bytes.writeUInt32LE(position.segment, 0);
  bytes.writeBigUInt64LE(BigInt(position.offset), 4);
  bytes.writeBigUInt64LE(BigInt(checkpoint.sequence), 12);
  bytes.writeBigUInt64LE(BigInt(checkpoint.badCursor), 20);
  bytes.set(scrubbedTo, 28);
  return sealed(CHECKPOINT_KEY, bytes);
}

export function encodeScrub(record: ScrubRecord): Uint8Array {
  const bytes = Buffer.alloc(32 + 4);
  const fields = [record.passes, record.completedMs, record.askedBegun, record.askedDone];
  fields.forEach((field, index) => {
    bytes.writeBigUInt64LE(BigInt(field), index * 8);
  });
  return sealed(SCRUB_KEY, bytes);
}

/** `value`: undefined where an older release kept the index. */
export function decodeScrub(value: Uint8Array | undefined): ScrubRecord {
  if (value === undefined) return NO_SCRUB;
  const bytes = opened(SCRUB_KEY, value);
  if (bytes.byteLength !== 32) throw damaged("scrub record");
  const field = (index: number): number => toSafeNumber(bytes.readBigUInt64LE(index * 8));
  return { passes: field(0), completedMs: field(1), askedBegun: field(2), askedDone: field(3) };
}

/** Since when it is in doubt whether the disk has all its shards, milliseconds since 1970. */
export function encodeDoubt(sinceMs: number): Uint8Array {
  const bytes = Buffer.alloc(8 + 4);
  bytes.writeBigUInt64LE(BigInt(sinceMs), 0);
  return sealed(DOUBT_KEY, bytes);
}

/** `value`: undefined where there is no doubt. */
export function decodeDoubt(value: Uint8Array | undefined): number {
  if (value === undefined) return 0;
  const bytes = opened(DOUBT_KEY, value);
  if (bytes.byteLength !== 8) throw damaged("doubt");
  return toSafeNumber(bytes.readBigUInt64LE(0));
}

export function decodeCheckpoint(value: Uint8Array): Omit<Checkpoint, "scrub"> {
  const bytes = opened(CHECKPOINT_KEY, value);
  if (bytes.byteLength < 28) throw damaged("checkpoint");
  return {
    position: { segment: bytes.readUInt32LE(0), offset: toSafeNumber(bytes.readBigUInt64LE(4)) },
    sequence: toSafeNumber(bytes.readBigUInt64LE(12)),
    badCursor: toSafeNumber(bytes.readBigUInt64LE(20)),
    scrubbedTo: copyBytes(bytes.subarray(28)),
  };
}

/** Puts the checksum into the last 4 bytes. */
function sealed(key: Uint8Array, bytes: Buffer): Uint8Array {
  const body = bytes.subarray(0, bytes.byteLength - 4);
  bytes.writeUInt32LE(crc32(body, crc32(key)), body.byteLength);
  return bytes;
}

/** What the checksum covers, once it holds; throws StoreError "corrupt" when it does not. */
function opened(key: Uint8Array, value: Uint8Array): Buffer {
  if (value.byteLength < 4) throw damaged("value");
  const bytes = asBuffer(value);
  const body = bytes.subarray(0, bytes.byteLength - 4);
  if (crc32(body, crc32(key)) !== bytes.readUInt32LE(body.byteLength)) throw damaged("value");
  return body;
}

function damaged(what: string): StoreError {
  return new StoreError("corrupt", `index: a damaged ${what}`);
}
