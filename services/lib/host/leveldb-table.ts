// Checks every byte of a LevelDB table (doc/table_format.md): the footer, the index and metaindex,
// and each block's type and masked CRC-32C. The blocks must tile the file without gap or overlap,
// so that no byte escapes a checksum; the footer, which has none, must name exactly such a tiling.
import { StoreError } from "../base/errors.ts";
import type { DiskFile } from "../ports/disk.ts";
import { ByteReader } from "./byte-reader.ts";
import type { Crc32c } from "./crc32c.ts";
import { maskCrc32c } from "./crc32c.ts";
import { decompressSnappy } from "./snappy.ts";

const FOOTER_BYTES = 48;
const TRAILER_BYTES = 5;
const MAGIC = 0xdb4775248b80fb57n;
const WINDOW_BYTES = 1024 * 1024;
/** Keys may be long and values are single records: no block of ours comes near. */
const BLOCK_BYTES_MAX = 1024 * 1024 * 1024;
const COMPRESSION_NONE = 0;
const COMPRESSION_SNAPPY = 1;

interface BlockHandle {
  readonly offset: number;
  readonly size: number;
}

export interface TableSource {
  readonly file: DiskFile;
  readonly size: number;
  readonly crc32c: Crc32c;
  /** Called as bytes are worked off; may wait. */
  readonly pace: (bytes: number) => Promise<void>;
}

/** Throws StoreError "corrupt" with the reason and offset. */
export async function verifyTable(source: TableSource): Promise<void> {
  if (source.size < FOOTER_BYTES) throw new StoreError("corrupt", "shorter than a footer");
  const footerStart = source.size - FOOTER_BYTES;
  const footer = await readExactly(source.file, footerStart, FOOTER_BYTES);
  const { metaindex, index } = parseFooter(footer);
  const reader = new BlockReader(source, footerStart);
  const metaBlocks = handlesOf(await reader.content(metaindex));
  const dataBlocks = handlesOf(await reader.content(index));
  const all = [...dataBlocks, ...metaBlocks, metaindex, index];
  all.sort((a, b) => a.offset - b.offset);
  let expected = 0;
  for (const block of all) {
    if (block.offset !== expected) {
      throw new StoreError("corrupt", `blocks do not join at ${expected}`);
    }
    await reader.check(block);
    expected = block.offset + block.size + TRAILER_BYTES;
    await source.pace(block.size + TRAILER_BYTES);
  }
  if (expected !== footerStart) throw new StoreError("corrupt", `no block covers ${expected}`);
}

function parseFooter(footer: Uint8Array): { metaindex: BlockHandle; index: BlockHandle } {
  const reader = new ByteReader(footer);
  const metaindex = readHandle(reader);
  const index = readHandle(reader);
  const padding = reader.take(FOOTER_BYTES - 8 - reader.position);
  if (padding.some((byte) => byte !== 0)) {
    throw new StoreError("corrupt", "the footer's padding is not empty");
  }
  if (reader.uint64() !== MAGIC) throw new StoreError("corrupt", "wrong magic number");
  return { metaindex, index };
}

function readHandle(reader: ByteReader): BlockHandle {
  const offset = reader.varint();
  return { offset, size: reader.varint() };
}

/** Block handles stored as the values of an index or metaindex block. */
function handlesOf(block: Uint8Array): BlockHandle[] {
  if (block.byteLength < 4) throw new StoreError("corrupt", "an index is too short");
  const restartCount = new ByteReader(block.subarray(block.byteLength - 4)).uint32();
  const entriesEnd = block.byteLength - 4 - 4 * restartCount;
  if (entriesEnd < 0) throw new StoreError("corrupt", "an index has too many restarts");
  const reader = new ByteReader(block.subarray(0, entriesEnd));
  const handles: BlockHandle[] = [];
  while (reader.left > 0) {
    reader.varint();
    const keyBytes = reader.varint();
    const valueBytes = reader.varint();
    reader.take(keyBytes);
    const value = new ByteReader(reader.take(valueBytes));
    handles.push(readHandle(value));
  }
  return handles;
}

/** Reads blocks through a window, so that a scan in file order costs few large reads. */
class BlockReader {
  readonly #source: TableSource;
  readonly #end: number;
  #window: Uint8Array = new Uint8Array(0);
  #windowStart = 0;

  constructor(source: TableSource, end: number) {
    this.#source = source;
    this.#end = end;
  }

  /** Verifies the block's trailer. */
  async check(handle: BlockHandle): Promise<void> {
    await this.#load(handle);
  }

  /** The block's entries, decompressed; a view that the next call may replace. */
  async content(handle: BlockHandle): Promise<Uint8Array> {
    const raw = await this.#load(handle);
    const stored = raw.subarray(0, handle.size);
    const compression = raw[handle.size];
    if (compression === COMPRESSION_NONE) return stored;
    if (compression === COMPRESSION_SNAPPY) return decompressSnappy(stored, BLOCK_BYTES_MAX);
    throw new StoreError("corrupt", `unknown compression ${compression} at ${handle.offset}`);
  }

  async #load({ offset, size }: BlockHandle): Promise<Uint8Array> {
    const length = size + TRAILER_BYTES;
    if (size > BLOCK_BYTES_MAX || offset + length > this.#end) {
      throw new StoreError("corrupt", `a block at ${offset} reaches past the end`);
    }
    const inWindow =
      offset >= this.#windowStart && offset + length <= this.#windowStart + this.#window.byteLength;
    if (!inWindow) {
      const wanted = Math.min(Math.max(length, WINDOW_BYTES), this.#end - offset);
      this.#window = await readExactly(this.#source.file, offset, wanted);
      this.#windowStart = offset;
    }
    const start = offset - this.#windowStart;
    const raw = this.#window.subarray(start, start + length);
    const sum = new ByteReader(raw.subarray(size + 1)).uint32();
    if (maskCrc32c(this.#source.crc32c(raw.subarray(0, size + 1))) !== sum) {
      throw new StoreError("corrupt", `wrong checksum of the block at ${offset}`);
    }
    return raw;
  }
}

async function readExactly(file: DiskFile, offset: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  const count = await file.read(bytes, offset);
  if (count < length) throw new StoreError("corrupt", `the file ends at ${offset + count}`);
  return bytes;
}
