// The bytes of segments: segment header, record header, checksum table, footer, tombstones. Numbers
// are little-endian. A record's header and footer carry a proof made from the segment's secret
// nonce and the record's offset, so that bytes a user stores can never pass for a record, and a
// record that lies in the wrong place is none. The format is drawn in README.md; golden bytes stand
// in test/fixtures/storage.
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { assert } from "../lib/base/assert.ts";
import { asBuffer, copyBytes, equalBytes, toSafeNumber } from "../lib/base/bytes.ts";
import { KEY_BYTES_MAX } from "../lib/base/limits.ts";
import {
  cellCountOf,
  NAME_BYTES,
  nameBytes,
  nameFromBytes,
  type ShardDescription,
  type ShardName,
} from "./shard-types.ts";

/** Records begin at multiples of this. */
export const BLOCK_BYTES = 512;
/** The segment's header stands twice, so that one rotten page does not cost the segment. */
export const SEGMENT_HEADER_COPY_OFFSET = 4096;
export const SEGMENT_DATA_OFFSET = 8192;
export const NONCE_BYTES = 16;
export const FOOTER_BYTES = 44;
export const TOMBSTONE_BYTES = 32;
export const HEADER_FIXED_BYTES = 96;
export const HEADER_BYTES_MAX = HEADER_FIXED_BYTES + KEY_BYTES_MAX + 4;
/** Tombstones in one record. */
export const TOMBSTONES_MAX = 1024;

const VERSION = 1;
const SEGMENT_MAGIC = Buffer.from("DoliumSg", "latin1");
const RECORD_MAGIC = Buffer.from("DoliumRc", "latin1");
const FOOTER_MAGIC = Buffer.from("DoliumOk", "latin1");
const SEGMENT_FIELDS_BYTES = 56;
const PROOF_BYTES = 16;

export interface SegmentHeader {
  readonly number: number;
  readonly diskUuid: Uint8Array;
  readonly nonce: Uint8Array;
  readonly createdMs: number;
}

/** What a record's place gives it: proofs are made from both. */
export interface RecordPlace {
  readonly nonce: Uint8Array;
  readonly offset: number;
}

export type RecordHeader =
  | { readonly kind: "shard"; readonly shard: ShardDescription; readonly writtenMs: number }
  | { readonly kind: "tombstones"; readonly count: number; readonly writtenMs: number }
  /** Everything before it in its segment was power-safe when it was written. */
  | { readonly kind: "seal"; readonly writtenMs: number };

export interface DecodedHeader {
  readonly header: RecordHeader;
  readonly headerBytes: number;
  readonly headerCrc: number;
}

export interface RecordFooter {
  readonly headerCrc: number;
  /** CRC-32 of the checksum table (shards) or of the tombstones. */
  readonly tableCrc: number;
  /** Order of commits on this disk. */
  readonly sequence: number;
}

export interface Tombstone {
  readonly name: ShardName;
  /** Copies of the shard with a smaller sequence are dead. */
  readonly sequence: number;
  /** No segment with a higher number can hold a copy that it kills. */
  readonly segmentMax: number;
}

const KINDS = ["shard", "tombstones", "seal"] as const;

/** The first SEGMENT_DATA_OFFSET bytes of a segment. */
export function encodeSegmentHeader(header: SegmentHeader): Uint8Array {
  assert(header.diskUuid.byteLength === 16, "segment header: disk uuid has 16 bytes");
  assert(header.nonce.byteLength === NONCE_BYTES, "segment header: nonce has 16 bytes");
  const bytes = Buffer.alloc(SEGMENT_DATA_OFFSET);
  bytes.set(SEGMENT_MAGIC, 0);
  bytes.writeUInt32LE(VERSION, 8);
  bytes.writeUInt32LE(header.number, 12);
  bytes.set(header.diskUuid, 16);
  bytes.set(header.nonce, 32);
  bytes.writeBigUInt64LE(BigInt(Math.floor(header.createdMs)), 48);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, SEGMENT_FIELDS_BYTES)), SEGMENT_FIELDS_BYTES);
  bytes.copy(bytes, SEGMENT_HEADER_COPY_OFFSET, 0, SEGMENT_FIELDS_BYTES + 4);
  return bytes;
}

/** From the first SEGMENT_DATA_OFFSET bytes, either copy; undefined when neither is whole. */
export function decodeSegmentHeader(bytes: Uint8Array): SegmentHeader | undefined {
  return (
    decodeSegmentCopy(asBuffer(bytes)) ??
    decodeSegmentCopy(asBuffer(bytes.subarray(SEGMENT_HEADER_COPY_OFFSET)))
  );
}

function decodeSegmentCopy(bytes: Buffer): SegmentHeader | undefined {
  if (bytes.byteLength < SEGMENT_FIELDS_BYTES + 4) return undefined;
  if (!equalBytes(bytes.subarray(0, 8), SEGMENT_MAGIC)) return undefined;
  const crc = crc32(bytes.subarray(0, SEGMENT_FIELDS_BYTES));
  if (crc !== bytes.readUInt32LE(SEGMENT_FIELDS_BYTES)) return undefined;
  if (bytes.readUInt32LE(8) !== VERSION) return undefined;
  return {
    number: bytes.readUInt32LE(12),
    diskUuid: copyBytes(bytes.subarray(16, 32)),
    nonce: copyBytes(bytes.subarray(32, 48)),
    createdMs: toSafeNumber(bytes.readBigUInt64LE(48)),
  };
}

export function encodeRecordHeader(header: RecordHeader, place: RecordPlace): Uint8Array {
  const shard = header.kind === "shard" ? header.shard : undefined;
  const keyBytes = shard?.owner.key.byteLength ?? 0;
  const headerBytes = HEADER_FIXED_BYTES + keyBytes + 4;
  const bytes = Buffer.alloc(headerBytes);
  bytes.set(RECORD_MAGIC, 0);
  bytes.set(proofOf("head", place), 8);
  bytes.writeUInt8(VERSION, 24);
  bytes.writeUInt8(KINDS.indexOf(header.kind) + 1, 25);
  bytes.writeUInt16LE(headerBytes, 26);
  bytes.writeUInt32LE(bodyBytesOf(header), 28);
  bytes.writeBigUInt64LE(BigInt(Math.floor(header.writtenMs)), 64);
  if (shard !== undefined) {
    bytes.writeUInt32LE(shard.cellBytes, 32);
    bytes.writeUInt32LE(shard.name.shardIndex, 36);
    bytes.set(shard.name.chunkId, 40);
    bytes.writeBigUInt64LE(BigInt(shard.begunMs), 56);
    bytes.writeUInt32LE(shard.owner.bucketId, 72);
    bytes.writeUInt16LE(keyBytes, 76);
    bytes.set(shard.owner.manifestId, 80);
    bytes.set(shard.owner.key, HEADER_FIXED_BYTES);
  }
  bytes.writeUInt32LE(crc32(bytes.subarray(0, headerBytes - 4)), headerBytes - 4);
  return bytes;
}

/** True when a record header may begin at `at`: cheap, for scanning. */
export function hasRecordMagic(bytes: Uint8Array, at: number): boolean {
  return equalBytes(bytes.subarray(at, at + RECORD_MAGIC.byteLength), RECORD_MAGIC);
}

/**
 * The header that `bytes` begins with, copied out; undefined when it is none, is damaged, or was
 * not written for this place. `bytes` should be HEADER_BYTES_MAX long, unless the file ends.
 */
export function decodeRecordHeader(
  view: Uint8Array,
  place: RecordPlace,
): DecodedHeader | undefined {
  const bytes = asBuffer(view);
  if (bytes.byteLength < HEADER_FIXED_BYTES + 4 || !hasRecordMagic(bytes, 0)) return undefined;
  const headerBytes = bytes.readUInt16LE(26);
  if (headerBytes < HEADER_FIXED_BYTES + 4 || headerBytes > bytes.byteLength) return undefined;
  const headerCrc = bytes.readUInt32LE(headerBytes - 4);
  if (crc32(bytes.subarray(0, headerBytes - 4)) !== headerCrc) return undefined;
  if (!equalBytes(bytes.subarray(8, 8 + PROOF_BYTES), proofOf("head", place))) return undefined;
  if (bytes.readUInt8(24) !== VERSION) return undefined;
  const header = headerFields(bytes, headerBytes);
  return header === undefined ? undefined : { header, headerBytes, headerCrc };
}

function headerFields(bytes: Buffer, headerBytes: number): RecordHeader | undefined {
  const kind = KINDS[bytes.readUInt8(25) - 1];
  const writtenMs = toSafeNumber(bytes.readBigUInt64LE(64));
  const bodyBytes = bytes.readUInt32LE(28);
  if (kind === undefined) return undefined;
  if (kind === "seal") return { kind, writtenMs };
  if (kind === "tombstones") return { kind, count: bodyBytes / TOMBSTONE_BYTES, writtenMs };
  if (bytes.readUInt16LE(76) !== headerBytes - HEADER_FIXED_BYTES - 4) return undefined;
  const shard: ShardDescription = {
    name: { chunkId: copyBytes(bytes.subarray(40, 56)), shardIndex: bytes.readUInt32LE(36) },
    owner: {
      bucketId: bytes.readUInt32LE(72),
      key: copyBytes(bytes.subarray(HEADER_FIXED_BYTES, headerBytes - 4)),
      manifestId: copyBytes(bytes.subarray(80, 96)),
    },
    shardBytes: bodyBytes,
    cellBytes: bytes.readUInt32LE(32),
    begunMs: toSafeNumber(bytes.readBigUInt64LE(56)),
  };
  return { kind, shard, writtenMs };
}

function bodyBytesOf(header: RecordHeader): number {
  if (header.kind === "shard") return header.shard.shardBytes;
  return header.kind === "tombstones" ? header.count * TOMBSTONE_BYTES : 0;
}

/** Where the parts of a record lie, from the record's start. */
export interface RecordLayout {
  readonly headerBytes: number;
  readonly bodyBytes: number;
  readonly tableOffset: number;
  readonly tableBytes: number;
  readonly footerOffset: number;
  /** With padding: where the next record may begin. */
  readonly recordBytes: number;
}

export function layoutOf(header: RecordHeader): RecordLayout {
  const keyBytes = header.kind === "shard" ? header.shard.owner.key.byteLength : 0;
  const headerBytes = HEADER_FIXED_BYTES + keyBytes + 4;
  const bodyBytes = bodyBytesOf(header);
  const tableOffset = headerBytes + bodyBytes;
  const tableBytes = header.kind === "shard" ? 4 * cellCountOf(header.shard) : 0;
  const footerOffset = tableOffset + tableBytes;
  const recordBytes = blockAligned(footerOffset + FOOTER_BYTES);
  return { headerBytes, bodyBytes, tableOffset, tableBytes, footerOffset, recordBytes };
}

/** `offset`, or the next place a record may begin. */
export function blockAligned(offset: number): number {
  return Math.ceil(offset / BLOCK_BYTES) * BLOCK_BYTES;
}

export function encodeFooter(footer: RecordFooter, place: RecordPlace): Uint8Array {
  const bytes = Buffer.alloc(FOOTER_BYTES);
  bytes.set(FOOTER_MAGIC, 0);
  bytes.set(proofOf("foot", place), 8);
  bytes.writeUInt32LE(footer.headerCrc, 24);
  bytes.writeUInt32LE(footer.tableCrc, 28);
  bytes.writeBigUInt64LE(BigInt(footer.sequence), 32);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 40)), 40);
  return bytes;
}

/** The footer at the start of `view`, if it is whole and was written for the record at `place`. */
export function decodeFooter(view: Uint8Array, place: RecordPlace): RecordFooter | undefined {
  if (view.byteLength < FOOTER_BYTES) return undefined;
  const bytes = asBuffer(view);
  if (!equalBytes(bytes.subarray(0, 8), FOOTER_MAGIC)) return undefined;
  if (crc32(bytes.subarray(0, 40)) !== bytes.readUInt32LE(40)) return undefined;
  if (!equalBytes(bytes.subarray(8, 24), proofOf("foot", place))) return undefined;
  return {
    headerCrc: bytes.readUInt32LE(24),
    tableCrc: bytes.readUInt32LE(28),
    sequence: toSafeNumber(bytes.readBigUInt64LE(32)),
  };
}

function proofOf(part: "head" | "foot", place: RecordPlace): Uint8Array {
  const offset = Buffer.allocUnsafe(8);
  offset.writeBigUInt64LE(BigInt(place.offset));
  const hash = createHash("sha256").update(place.nonce).update(part).update(offset).digest();
  return hash.subarray(0, PROOF_BYTES);
}

export function encodeTombstones(tombstones: readonly Tombstone[]): Uint8Array {
  assert(tombstones.length >= 1, "tombstones: none");
  assert(tombstones.length <= TOMBSTONES_MAX, "tombstones: too many for a record");
  const bytes = Buffer.alloc(tombstones.length * TOMBSTONE_BYTES);
  tombstones.forEach((tombstone, index) => {
    const at = index * TOMBSTONE_BYTES;
    bytes.set(nameBytes(tombstone.name), at);
    bytes.writeBigUInt64LE(BigInt(tombstone.sequence), at + NAME_BYTES);
    bytes.writeUInt32LE(tombstone.segmentMax, at + NAME_BYTES + 8);
  });
  return bytes;
}

export function decodeTombstones(view: Uint8Array): Tombstone[] {
  const bytes = asBuffer(view);
  const count = Math.floor(bytes.byteLength / TOMBSTONE_BYTES);
  return Array.from({ length: count }, (_, index) => {
    const at = index * TOMBSTONE_BYTES;
    return {
      name: nameFromBytes(bytes.subarray(at, at + NAME_BYTES)),
      sequence: toSafeNumber(bytes.readBigUInt64LE(at + NAME_BYTES)),
      segmentMax: bytes.readUInt32LE(at + NAME_BYTES + 8),
    };
  });
}

/** The table of checksums as it is stored: 4 bytes a cell. */
export function encodeTable(checksums: Uint32Array): Uint8Array {
  const bytes = Buffer.allocUnsafe(checksums.length * 4);
  checksums.forEach((checksum, index) => {
    bytes.writeUInt32LE(checksum, index * 4);
  });
  return bytes;
}

/** Checksum of cell `cell` in a stored table. */
export function tableEntry(table: Uint8Array, cell: number): number {
  return asBuffer(table).readUInt32LE(cell * 4);
}
