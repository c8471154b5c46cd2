// Walks a segment's records from a place on, by their headers. Holes, torn records and rot are
// stepped over block by block, so damage never hides what lies behind it. A record whose footer is
// not whole was never committed, as far as its segment can tell.
import { crc32 } from "node:zlib";
import { isStoreError, type StoreError } from "../lib/base/errors.ts";
import { cellChecksum } from "../lib/erasure/checksum.ts";
import type { DiskFile } from "../lib/ports/disk.ts";
import {
  BLOCK_BYTES,
  type DecodedHeader,
  decodeFooter,
  decodeRecordHeader,
  decodeTombstones,
  FOOTER_BYTES,
  HEADER_BYTES_MAX,
  hasRecordMagic,
  layoutOf,
  type RecordFooter,
  type RecordLayout,
  type Tombstone,
  tableEntry,
} from "./record-format.ts";
import { cellCountOf, cellLengthOf, nameText, type ShardDescription } from "./shard-types.ts";

const WINDOW_BYTES = 256 * 1024;
const PIECE_BYTES = 4096;
/** Unreadable pieces of one segment; past it the disk is. */
const UNREADABLE_MAX = 64;

export interface ScannedRecord {
  readonly offset: number;
  readonly decoded: DecodedHeader;
  readonly layout: RecordLayout;
  /** Undefined: torn, or its footer rotted. */
  readonly footer: RecordFooter | undefined;
}

export interface ScanRange {
  readonly nonce: Uint8Array;
  readonly from: number;
  /** The scan ends here; usually the file's size. */
  readonly to: number;
  /** Told of bytes at `offset` that are neither zeros nor part of a whole record. */
  readonly onDebris?: (offset: number) => void;
}

/** Yields every record that begins in the range, in order of offset. Throws "io". */
export async function* scanSegment(
  file: DiskFile,
  range: ScanRange,
): AsyncGenerator<ScannedRecord, void, void> {
  const window = new Window(file);
  const { onDebris = () => undefined } = range;
  let offset = range.from;
  while (offset < range.to) {
    offset = await window.findMagic(offset, range.to, onDebris);
    if (offset >= range.to) return;
    const place = { nonce: range.nonce, offset };
    const decoded = decodeRecordHeader(await window.read(offset, HEADER_BYTES_MAX), place);
    if (decoded === undefined) {
      onDebris(offset);
      offset += BLOCK_BYTES;
      continue;
    }
    const layout = layoutOf(decoded.header);
    const bytes = await window.read(offset + layout.footerOffset, FOOTER_BYTES);
    const found = decodeFooter(bytes, place);
    const footer = found?.headerCrc === decoded.headerCrc ? found : undefined;
    if (footer === undefined) onDebris(offset);
    yield { offset, decoded, layout, footer };
    offset += footer === undefined ? BLOCK_BYTES : layout.recordBytes;
  }
}

/** One buffer over a file that moves along with the scan. */
class Window {
  readonly #file: DiskFile;
  readonly #buffer = Buffer.allocUnsafe(WINDOW_BYTES);
  #start = 0;
  #length = 0;
  #unreadable = 0;

  constructor(file: DiskFile) {
    this.#file = file;
  }

  /** A view of at most `length` bytes (fewer at the end of the file), valid until the next call. */
  async read(offset: number, length: number): Promise<Uint8Array> {
    const inside = offset >= this.#start && offset + length <= this.#start + this.#length;
    if (!inside) {
      this.#length = 0;
      this.#length = await this.#fill(offset);
      this.#start = offset;
    }
    const at = offset - this.#start;
    return this.#buffer.subarray(at, Math.min(at + length, this.#length));
  }

  async #fill(offset: number): Promise<number> {
    try {
      return await this.#file.read(this.#buffer, offset);
    } catch (error) {
      if (!isStoreError(error, "io")) throw error;
      return await this.#fillPieces(offset, error);
    }
  }

  /**
   * Unreadable sectors count as zeros, which are no record; a disk that reads nothing is given up.
   */
  async #fillPieces(offset: number, failure: StoreError): Promise<number> {
    for (let at = 0; at < WINDOW_BYTES; at += PIECE_BYTES) {
      const piece = this.#buffer.subarray(at, at + PIECE_BYTES).fill(0);
      try {
        const read = await this.#file.read(piece, offset + at);
        if (read < PIECE_BYTES) return at + read;
      } catch (error) {
        this.#unreadable += 1;
        if (this.#unreadable > UNREADABLE_MAX) throw failure;
        if (!isStoreError(error, "io")) throw error;
      }
    }
    return WINDOW_BYTES;
  }

  /** The next block at or after `offset` that begins like a record; `to` when there is none. */
  async findMagic(offset: number, to: number, onDebris: (offset: number) => void): Promise<number> {
    for (let at = offset; at < to; at += BLOCK_BYTES) {
      const view = await this.#readIfNeeded(at);
      if (view.byteLength === 0) return to;
      if (hasRecordMagic(view, 0)) return at;
      if (!isZero(view)) onDebris(at);
    }
    return to;
  }

  #readIfNeeded(offset: number): Promise<Uint8Array> | Uint8Array {
    const at = offset - this.#start;
    if (at >= 0 && at + BLOCK_BYTES <= this.#length) {
      return this.#buffer.subarray(at, at + BLOCK_BYTES);
    }
    return this.read(offset, BLOCK_BYTES);
  }
}

const ZEROS = new Uint8Array(BLOCK_BYTES);

/** `block`: at most BLOCK_BYTES. */
function isZero(block: Uint8Array): boolean {
  return Buffer.compare(block, ZEROS.subarray(0, block.byteLength)) === 0;
}

/** The tombstones of a committed record; undefined when their bytes are wrong. */
export async function readTombstones(
  file: DiskFile,
  record: ScannedRecord,
): Promise<Tombstone[] | undefined> {
  const bytes = Buffer.allocUnsafe(record.layout.bodyBytes);
  const read = await file.read(bytes, record.offset + record.layout.headerBytes);
  if (read < bytes.byteLength || crc32(bytes) !== record.footer?.tableCrc) return undefined;
  return decodeTombstones(bytes);
}

/** Where a shard lies and what its table must add up to. */
export interface ShardPlace {
  readonly shard: ShardDescription;
  readonly offset: number;
  readonly layout: RecordLayout;
  readonly tableCrc: number;
}

/** The table of a shard's checksums, or undefined when it does not add up. */
export async function readTable(
  file: DiskFile,
  place: ShardPlace,
): Promise<Uint8Array | undefined> {
  const table = Buffer.allocUnsafe(place.layout.tableBytes);
  const read = await file.read(table, place.offset + place.layout.tableOffset);
  return read === table.byteLength && crc32(table) === place.tableCrc ? table : undefined;
}

/** One cell, newly allocated, or undefined when its bytes are wrong. */
export async function readCell(
  file: DiskFile,
  place: ShardPlace,
  at: { readonly cell: number; readonly table: Uint8Array },
): Promise<Uint8Array | undefined> {
  const { shard, layout } = place;
  const data = new Uint8Array(cellLengthOf(shard, at.cell));
  const offset = place.offset + layout.headerBytes + at.cell * shard.cellBytes;
  const read = await file.read(data, offset);
  if (read < data.byteLength) return undefined;
  const { chunkId, shardIndex } = shard.name;
  const checksum = cellChecksum(chunkId, shardIndex, at.cell, data);
  return checksum === tableEntry(at.table, at.cell) ? data : undefined;
}

/**
 * Reads a whole shard; undefined when it is good, else what is wrong. `pace` is told every read.
 */
export async function verifyShard(
  file: DiskFile,
  place: ShardPlace,
  pace: (bytes: number) => Promise<void> = async () => undefined,
): Promise<string | undefined> {
  const table = await readTable(file, place);
  if (table === undefined) return "the table of checksums is damaged";
  for (let cell = 0; cell < cellCountOf(place.shard); cell += 1) {
    const data = await readCell(file, place, { cell, table });
    if (data === undefined) return `cell ${cell} is damaged`;
    await pace(data.byteLength);
  }
  return undefined;
}

/**
 * Checks header and footer of a shard at its place; undefined when both are whole, else what is
 * not.
 */
export async function verifyFrame(
  file: DiskFile,
  place: ShardPlace & { readonly nonce: Uint8Array },
): Promise<string | undefined> {
  const { layout, offset, nonce } = place;
  const header = Buffer.allocUnsafe(layout.headerBytes);
  await file.read(header, offset);
  const decoded = decodeRecordHeader(header, { nonce, offset });
  if (decoded === undefined) return "the header is damaged";
  const bytes = Buffer.allocUnsafe(FOOTER_BYTES);
  await file.read(bytes, offset + layout.footerOffset);
  const footer = decodeFooter(bytes, { nonce, offset });
  if (footer?.headerCrc !== decoded.headerCrc) return "the footer is damaged";
  if (footer.tableCrc !== place.tableCrc) return "the footer is not this shard's";
  const { header: fields } = decoded;
  const same =
    fields.kind === "shard" && nameText(fields.shard.name) === nameText(place.shard.name);
  return same ? undefined : "the header is another shard's";
}
