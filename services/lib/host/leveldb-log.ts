// Reads LevelDB's log format (doc/log_format.md): 32 KiB blocks of records, each with a masked
// CRC-32C over type and payload, a length and a type. Write-ahead logs and manifests are such
// files.
//
// Tells a torn tail (the process or the machine stopped while it wrote) from rot: after the first
// bad record nothing valid may follow anywhere, else the bad record is corruption in the middle.
import type { Crc32c } from "./crc32c.ts";
import { maskCrc32c } from "./crc32c.ts";

const BLOCK_BYTES = 32 * 1024;
const HEADER_BYTES = 7;
const PACE_BYTES = 256 * 1024;
const FULL = 1;
const FIRST = 2;
const LAST = 4;

export interface LogTail {
  readonly offset: number;
  readonly reason: string;
  /**
   * The file simply stops inside the record, or holds only zeros from there: no bytes contradict.
   */
  readonly incomplete: boolean;
}

export interface LogContent {
  /** Whole records in order: views of the file where a record lies in one piece. */
  readonly records: readonly Uint8Array[];
  /** Set when the file does not end cleanly and nothing valid follows that place. */
  readonly tail: LogTail | undefined;
  /** Set when a bad record is followed by valid ones, or records do not join. */
  readonly damage: LogTail | undefined;
}

export interface LogSource {
  readonly bytes: Uint8Array;
  readonly crc32c: Crc32c;
  /** Called as bytes are worked off; may wait. */
  readonly pace: (bytes: number) => Promise<void>;
}

type Fragment =
  | { readonly kind: "fragment"; readonly type: number; readonly data: Uint8Array }
  | { readonly kind: "bad"; readonly reason: string; readonly incomplete: boolean };

/** Reads a whole log. Never throws for what the bytes say; `pace` may throw. */
export async function readLog(source: LogSource): Promise<LogContent> {
  const { bytes } = source;
  const records: Uint8Array[] = [];
  let parts: Uint8Array[] = [];
  let position = 0;
  let pacedTo = 0;
  while (position < bytes.byteLength) {
    if (position - pacedTo >= PACE_BYTES) {
      await source.pace(position - pacedTo);
      pacedTo = position;
    }
    const start = position;
    const fragment = readFragment(source, position);
    if (fragment.kind === "bad") {
      const found = { offset: start, reason: fragment.reason, incomplete: fragment.incomplete };
      const damaged = await validFollows(source, start + 1);
      return damaged
        ? { records, tail: undefined, damage: found }
        : { records, tail: found, damage: undefined };
    }
    position = endOf(position, fragment.data.byteLength);
    if (fragment.type === 0) continue;
    const opens = fragment.type === FULL || fragment.type === FIRST;
    if (opens !== (parts.length === 0)) {
      const damage = { offset: start, reason: "records do not join", incomplete: false };
      return { records, tail: undefined, damage };
    }
    parts.push(fragment.data);
    if (fragment.type === FULL || fragment.type === LAST) {
      records.push(joined(parts));
      parts = [];
    }
  }
  await source.pace(position - pacedTo);
  const tail = { offset: position, reason: "the last record does not end", incomplete: true };
  return { records, tail: parts.length > 0 ? tail : undefined, damage: undefined };
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : Buffer.concat(parts);
}

/** Where the next record may start: a block's last bytes are left empty if no header fits there. */
function endOf(position: number, dataBytes: number): number {
  const left = blockLeft(position);
  return position + (left < HEADER_BYTES ? left : HEADER_BYTES + dataBytes);
}

function blockLeft(position: number): number {
  return BLOCK_BYTES - (position % BLOCK_BYTES);
}

/** The record at `position`; type 0 stands for the empty rest of a block. */
function readFragment({ bytes, crc32c }: LogSource, position: number): Fragment {
  const inBlock = blockLeft(position);
  const inFile = bytes.byteLength - position;
  if (inBlock < HEADER_BYTES) {
    const rest = bytes.subarray(position, position + Math.min(inBlock, inFile));
    if (rest.some((byte) => byte !== 0)) return bad("the rest of a block is not empty", false);
    return { kind: "fragment", type: 0, data: rest.subarray(0, 0) };
  }
  if (inFile < HEADER_BYTES) return bad("the file ends inside a record's header", true);
  const header = headerAt(bytes, position);
  if (header.type < FULL || header.type > LAST) {
    return bad("a record has no type", restIsZero(bytes, position));
  }
  if (HEADER_BYTES + header.length > inBlock) return bad("a record leaves its block", false);
  const dataStart = position + HEADER_BYTES;
  const data = bytes.subarray(dataStart, dataStart + header.length);
  const matches = maskCrc32c(crc32c(header.typeByte, data)) === header.sum;
  if (data.byteLength < header.length) {
    // A sum that fits the shorter data says the length is wrong, not the end of the file.
    return matches
      ? bad("a record's length is wrong", false)
      : bad("the file ends inside a record", true);
  }
  return matches
    ? { kind: "fragment", type: header.type, data }
    : bad("a record's checksum is wrong", false);
}

function bad(reason: string, incomplete: boolean): Fragment {
  return { kind: "bad", reason, incomplete };
}

function headerAt(bytes: Uint8Array, position: number) {
  const view = new DataView(bytes.buffer, bytes.byteOffset + position, HEADER_BYTES);
  return {
    sum: view.getUint32(0, true),
    length: view.getUint16(4, true),
    type: view.getUint8(6),
    typeByte: bytes.subarray(position + 6, position + HEADER_BYTES),
  };
}

function restIsZero(bytes: Uint8Array, position: number): boolean {
  return bytes.subarray(position).every((byte) => byte === 0);
}

/**
 * True when any record with a right checksum starts at or after `start`, at whatever offset: a
 * wrong length hides where the next one begins.
 */
async function validFollows(source: LogSource, start: number): Promise<boolean> {
  const { bytes } = source;
  for (let position = start; position + HEADER_BYTES <= bytes.byteLength; position += 1) {
    if (position % PACE_BYTES === 0) await source.pace(0);
    const type = bytes[position + 6];
    if (type === undefined || type < FULL || type > LAST) continue;
    if (blockLeft(position) < HEADER_BYTES) continue;
    const { length } = headerAt(bytes, position);
    const room = Math.min(blockLeft(position), bytes.byteLength - position);
    if (HEADER_BYTES + length > room) continue;
    if (readFragment(source, position).kind === "fragment") return true;
  }
  return false;
}
