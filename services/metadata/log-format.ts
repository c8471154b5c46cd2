// Bytes of the Raft log's segment files (LOG.md has the tables). A record carries the checksum of
// the record before it, so that a missing, moved or altered record anywhere is noticed; its own
// checksum is seeded with the segment's random nonce, so that bytes inside a payload can never pass
// for a record.
import { crc32 } from "node:zlib";
import { assert } from "../lib/base/assert.ts";
import { asBuffer } from "../lib/base/bytes.ts";

export const SEGMENT_HEADER_BYTES = 64;
export const RECORD_HEADER_BYTES = 48;
/** A payload is one entry; proposals are far smaller (see the Raft host's bounds). */
export const PAYLOAD_BYTES_MAX = 16 * 1024 * 1024;
export const FORMAT_VERSION = 1;
export const NONCE_BYTES = 16;

const SEGMENT_MAGIC = 0x474c4f44; // "DOLG", little-endian
const RECORD_MAGIC = 0x4c52; // "RL"

/**
 * What a record says. Numbers are stored and never used for anything else.
 * `entry`: replaces the group's log from `index` on.
 * `meta`: the group as it stood when the segment began; replay may start at any segment.
 * `start`: the log is emptied and begins after `index`.
 * `hard-state`: `index` is the commit index, the payload the vote.
 * `compact`: entries up to `index` are gone.    `restoring`: a restore to `index` begins.
 * `remove`: the group is gone.
 * `seal`: batch number `index` is known to be durable.
 */
export const RECORD_TYPES = {
  entry: 1,
  membersEntry: 2,
  meta: 3,
  start: 4,
  hardState: 5,
  compact: 6,
  restoring: 7,
  remove: 8,
  seal: 9,
} as const;
export type RecordType = (typeof RECORD_TYPES)[keyof typeof RECORD_TYPES];

const KNOWN_TYPES = new Set<number>(Object.values(RECORD_TYPES));

/** The last record of a batch: batches count whole or not at all. */
const FLAG_END = 1;

export interface LogRecord {
  readonly type: RecordType;
  readonly endOfBatch: boolean;
  /** Number of the sync that made it durable; grows by one. */
  readonly batch: number;
  readonly groupId: number;
  readonly index: number;
  readonly term: number;
  readonly payload: Uint8Array;
}

export interface SegmentHeader {
  readonly number: number;
  /** The first batch in this segment. */
  readonly firstBatch: number;
  /** Checksum of the last record of the segment before, 0 in the first segment. */
  readonly previousChecksum: number;
  readonly nonce: Uint8Array;
}

/** Where a record's checksum starts from in a segment with this nonce. */
export function checksumSeed(nonce: Uint8Array): number {
  return crc32(nonce);
}

/** | magic 4 | version 4 | number 8 | first batch 8 | previous 4 | nonce 16 | zeros 16 | crc 4 | */
export function encodeSegmentHeader(header: SegmentHeader): Uint8Array {
  assert(header.nonce.byteLength === NONCE_BYTES, "segment: bad nonce");
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  bytes.writeUInt32LE(SEGMENT_MAGIC, 0);
  bytes.writeUInt32LE(FORMAT_VERSION, 4);
  bytes.writeBigUInt64LE(BigInt(header.number), 8);
  bytes.writeBigUInt64LE(BigInt(header.firstBatch), 16);
  bytes.writeUInt32LE(header.previousChecksum, 24);
  bytes.set(header.nonce, 28);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 60)), 60);
  return bytes;
}

/** `unknown-version` is intact but written by a newer release. */
export type DecodedSegmentHeader =
  | { readonly kind: "header"; readonly header: SegmentHeader }
  | { readonly kind: "unknown-version"; readonly version: number }
  | { readonly kind: "bad" };

export function decodeSegmentHeader(view: Uint8Array): DecodedSegmentHeader {
  if (view.byteLength < SEGMENT_HEADER_BYTES) return { kind: "bad" };
  const bytes = asBuffer(view);
  if (bytes.readUInt32LE(0) !== SEGMENT_MAGIC) return { kind: "bad" };
  if (bytes.readUInt32LE(60) !== crc32(bytes.subarray(0, 60))) return { kind: "bad" };
  const version = bytes.readUInt32LE(4);
  if (version !== FORMAT_VERSION) return { kind: "unknown-version", version };
  const header = {
    number: Number(bytes.readBigUInt64LE(8)),
    firstBatch: Number(bytes.readBigUInt64LE(16)),
    previousChecksum: bytes.readUInt32LE(24),
    nonce: Uint8Array.from(bytes.subarray(28, 28 + NONCE_BYTES)),
  };
  return { kind: "header", header };
}

/**
 * crc 4, previous crc 4, magic 2, type 1, flags 1, length 4, batch 8, group 8, index 8, term 8.
 * The checksum covers everything after itself. Returns the header; the payload follows unchanged.
 */
export function encodeRecordHeader(
  record: LogRecord,
  previousChecksum: number,
  seed: number,
): { readonly header: Uint8Array; readonly checksum: number } {
  const length = record.payload.byteLength;
  assert(length <= PAYLOAD_BYTES_MAX, `log: a payload of ${length} bytes`);
  const header = Buffer.allocUnsafe(RECORD_HEADER_BYTES);
  header.writeUInt32LE(previousChecksum, 4);
  header.writeUInt16LE(RECORD_MAGIC, 8);
  header.writeUInt8(record.type, 10);
  header.writeUInt8(record.endOfBatch ? FLAG_END : 0, 11);
  header.writeUInt32LE(length, 12);
  writeSafe(header, record.batch, 16);
  writeSafe(header, record.groupId, 24);
  writeSafe(header, record.index, 32);
  writeSafe(header, record.term, 40);
  const checksum = recordChecksum(header, record.payload, seed);
  header.writeUInt32LE(checksum, 0);
  return { header, checksum };
}

export interface DecodedRecord {
  readonly record: LogRecord;
  readonly checksum: number;
  readonly previousChecksum: number;
  /** Header and payload. */
  readonly bytes: number;
}

/**
 * The record at `offset`, or undefined when there is none with a right checksum. Its payload is a
 * view. Whether it belongs there (chain, batch) is the caller's to check.
 */
export function decodeRecord(
  view: Uint8Array,
  offset: number,
  seed: number,
): DecodedRecord | undefined {
  const left = view.byteLength - offset;
  if (left < RECORD_HEADER_BYTES) return undefined;
  const bytes = asBuffer(view);
  if (bytes.readUInt16LE(offset + 8) !== RECORD_MAGIC) return undefined;
  const type = bytes.readUInt8(offset + 10);
  const flags = bytes.readUInt8(offset + 11);
  const length = bytes.readUInt32LE(offset + 12);
  if (length > PAYLOAD_BYTES_MAX || length > left - RECORD_HEADER_BYTES) return undefined;
  const header = bytes.subarray(offset, offset + RECORD_HEADER_BYTES);
  const payload = bytes.subarray(
    offset + RECORD_HEADER_BYTES,
    offset + RECORD_HEADER_BYTES + length,
  );
  const checksum = recordChecksum(header, payload, seed);
  if (checksum !== header.readUInt32LE(0)) return undefined;
  if (!isRecordType(type) || (flags & ~FLAG_END) !== 0) return undefined;
  const record = {
    type,
    endOfBatch: (flags & FLAG_END) !== 0,
    batch: readSafe(header, 16),
    groupId: readSafe(header, 24),
    index: readSafe(header, 32),
    term: readSafe(header, 40),
    payload,
  };
  const previousChecksum = header.readUInt32LE(4);
  return { record, checksum, previousChecksum, bytes: RECORD_HEADER_BYTES + length };
}

function isRecordType(type: number): type is RecordType {
  return KNOWN_TYPES.has(type);
}

function recordChecksum(header: Uint8Array, payload: Uint8Array, seed: number): number {
  return crc32(payload, crc32(header.subarray(4, RECORD_HEADER_BYTES), seed));
}

/** 64-bit fields as two halves: much cheaper than BigInt, and exact below 2^53. */
function writeSafe(buffer: Buffer, value: number, offset: number): void {
  assert(Number.isSafeInteger(value) && value >= 0, `log: bad number ${value}`);
  buffer.writeUInt32LE(value >>> 0, offset);
  buffer.writeUInt32LE(Math.floor(value / 2 ** 32), offset + 4);
}

function readSafe(buffer: Buffer, offset: number): number {
  const value = buffer.readUInt32LE(offset) + buffer.readUInt32LE(offset + 4) * 2 ** 32;
  assert(Number.isSafeInteger(value), "log: a number beyond 2^53 under a right checksum");
  return value;
}

/** A group as `meta` records keep it. Integers of 8 bytes, little-endian, in this order. */
export interface GroupMeta {
  readonly snapshotIndex: number;
  readonly snapshotTerm: number;
  readonly lastIndex: number;
  readonly hardTerm: number;
  readonly vote: number;
  readonly commit: number;
  /** 0 and 0 when none. */
  readonly restoringIndex: number;
  readonly restoringTerm: number;
}

const META_FIELDS = [
  "snapshotIndex",
  "snapshotTerm",
  "lastIndex",
  "hardTerm",
  "vote",
  "commit",
  "restoringIndex",
  "restoringTerm",
] as const;

export function encodeGroupMeta(meta: GroupMeta): Uint8Array {
  return encodeNumbers(META_FIELDS.map((field) => meta[field]));
}

export function decodeGroupMeta(payload: Uint8Array): GroupMeta {
  const [snapshotIndex, snapshotTerm, lastIndex, hardTerm, vote, commit, at, term] = decodeNumbers(
    payload,
    META_FIELDS.length,
  );
  return {
    snapshotIndex: snapshotIndex ?? 0,
    snapshotTerm: snapshotTerm ?? 0,
    lastIndex: lastIndex ?? 0,
    hardTerm: hardTerm ?? 0,
    vote: vote ?? 0,
    commit: commit ?? 0,
    restoringIndex: at ?? 0,
    restoringTerm: term ?? 0,
  };
}

export function encodeNumbers(values: readonly number[]): Uint8Array {
  const buffer = Buffer.allocUnsafe(values.length * 8);
  values.forEach((value, at) => {
    writeSafe(buffer, value, at * 8);
  });
  return buffer;
}

export function decodeNumbers(payload: Uint8Array, count: number): number[] {
  assert(payload.byteLength === count * 8, "log: a record of the wrong length");
  const buffer = asBuffer(payload);
  return Array.from({ length: count }, (_, at) => readSafe(buffer, at * 8));
}

/** `segment-0000000000000017.raft` */
export function segmentName(number: number): string {
  return `segment-${String(number).padStart(16, "0")}.raft`;
}

/** The number in a segment's name, undefined for other files. */
export function segmentNumber(name: string): number | undefined {
  const match = /^segment-(\d{16})\.raft$/.exec(name);
  return match?.[1] === undefined ? undefined : Number(match[1]);
}
