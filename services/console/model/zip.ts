// A ZIP archive as a stream: every file is stored as it is (method 0), its CRC and size follow it
// in a data descriptor, so nothing is held back. All sizes are written in the 64-bit form. Source:
// PKWARE APPNOTE 6.3.10, sections 4.3 to 4.5. Names are UTF-8 and never leave the folder that the
// archive is unpacked in.
import { crc32 } from "./crc32.ts";

export interface ZipEntry {
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly modifiedMs: number;
  readonly open: () => Promise<AsyncIterable<Uint8Array>>;
}

interface Written {
  readonly name: Uint8Array;
  readonly time: number;
  readonly crc: number;
  readonly size: number;
  readonly offset: number;
}

const VERSION_ZIP64 = 45;
/** Sizes follow the data (bit 3), names are UTF-8 (bit 11). */
const FLAGS = 0x0808;
const FULL = 0xffffffff;
const NAME_BYTES_MAX = 0xffff;

/** Little-endian fields, each `[width in bytes, value]`. */
function fields(...values: readonly (readonly [2 | 4 | 8, number])[]): Uint8Array {
  const bytes = new Uint8Array(values.reduce((sum, [width]) => sum + width, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const [width, value] of values) {
    if (width === 2) view.setUint16(at, value, true);
    else if (width === 4) view.setUint32(at, value, true);
    else view.setBigUint64(at, BigInt(value), true);
    at += width;
  }
  return bytes;
}

/** MS-DOS date and time in UTC; what lies outside 1980 to 2107 becomes the nearest year. */
function dosTime(ms: number): number {
  const date = new Date(Number.isFinite(ms) ? ms : 0);
  const year = Math.min(2107, Math.max(1980, date.getUTCFullYear())) - 1980;
  const day = (year << 9) | ((date.getUTCMonth() + 1) << 5) | date.getUTCDate();
  const time =
    (date.getUTCHours() << 11) | (date.getUTCMinutes() << 5) | (date.getUTCSeconds() >> 1);
  return ((day << 16) | time) >>> 0;
}

/** A key as a path inside the folder of the archive: no "..", no root, no back-slashes. */
export function safeZipName(key: string): string {
  const parts = key.replaceAll("\\", "_").split("/");
  return parts
    .map((part) => (part === "" || part === "." || part === ".." ? "_" : part))
    .map((part) => part.replace(/[\p{Cc}:*?"<>|]/gu, "_"))
    .join("/");
}

/** `name`, or `name (2)` and on where it was taken before. */
function unique(name: string, taken: Set<string>): string {
  let candidate = name;
  for (let count = 2; taken.has(candidate.toLowerCase()); count += 1) {
    const dot = name.lastIndexOf(".");
    const cut = dot > name.lastIndexOf("/") + 1 ? dot : name.length;
    candidate = `${name.slice(0, cut)} (${count})${name.slice(cut)}`;
  }
  taken.add(candidate.toLowerCase());
  return candidate;
}

function localHeader(name: Uint8Array, time: number): Uint8Array {
  return fields(
    [4, 0x04034b50],
    [2, VERSION_ZIP64],
    [2, FLAGS],
    [2, 0],
    [4, time],
    [4, 0],
    [4, FULL],
    [4, FULL],
    [2, name.byteLength],
    [2, 20],
  );
}

/** The 64-bit field of a local header whose sizes are in the descriptor. */
const LOCAL_EXTRA = fields([2, 0x0001], [2, 16], [8, 0], [8, 0]);

function centralHeader(written: Written): Uint8Array {
  return fields(
    [4, 0x02014b50],
    [2, VERSION_ZIP64],
    [2, VERSION_ZIP64],
    [2, FLAGS],
    [2, 0],
    [4, written.time],
    [4, written.crc],
    [4, FULL],
    [4, FULL],
    [2, written.name.byteLength],
    [2, 28],
    [2, 0],
    [2, 0],
    [2, 0],
    [4, 0],
    [4, FULL],
  );
}

function centralExtra({ size, offset }: Written): Uint8Array {
  return fields([2, 0x0001], [2, 24], [8, size], [8, size], [8, offset]);
}

function endRecords(count: number, size: number, offset: number): Uint8Array[] {
  const end64 = fields(
    [4, 0x06064b50],
    [8, 44],
    [2, VERSION_ZIP64],
    [2, VERSION_ZIP64],
    [4, 0],
    [4, 0],
    [8, count],
    [8, count],
    [8, size],
    [8, offset],
  );
  const locator = fields([4, 0x07064b50], [4, 0], [8, offset + size], [4, 1]);
  const short = Math.min(count, 0xffff);
  const end = fields(
    [4, 0x06054b50],
    [2, 0],
    [2, 0],
    [2, short],
    [2, short],
    [4, FULL],
    [4, FULL],
    [2, 0],
  );
  return [end64, locator, end];
}

/**
 * Yields the archive of `entries`, in order. Holds one piece of one body at a time, and about 100
 * bytes for each entry. Throws what opening or reading an entry throws.
 */
export async function* zip(
  entries: AsyncIterable<ZipEntry> | Iterable<ZipEntry>,
): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder();
  const taken = new Set<string>();
  const written: Written[] = [];
  let offset = 0;
  for await (const entry of entries) {
    const start = offset;
    const name = encoder.encode(unique(safeZipName(entry.name), taken)).slice(0, NAME_BYTES_MAX);
    const time = dosTime(entry.modifiedMs);
    let crc = 0;
    let size = 0;
    const body = await entry.open();
    for (const head of [localHeader(name, time), name, LOCAL_EXTRA]) {
      offset += head.byteLength;
      yield head;
    }
    for await (const piece of body) {
      crc = crc32(piece, crc);
      size += piece.byteLength;
      yield piece;
    }
    const descriptor = fields([4, 0x08074b50], [4, crc], [8, size], [8, size]);
    offset += size + descriptor.byteLength;
    yield descriptor;
    written.push({ name, time, crc, size, offset: start });
  }
  const directory = offset;
  for (const entry of written) {
    for (const piece of [centralHeader(entry), entry.name, centralExtra(entry)]) {
      offset += piece.byteLength;
      yield piece;
    }
  }
  yield* endRecords(written.length, offset - directory, directory);
}
