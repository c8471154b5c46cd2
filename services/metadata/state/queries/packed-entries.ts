// Entries of a listing, encoded straight from the stored heads: of each Version the bytes of the
// fields that listings show are copied as they stand, and no message is made of it. What comes out
// decodes to what `bareVersion` leaves of the decoded head; a test compares the two.
import { asBuffer } from "../../../lib/base/bytes.ts";
import { WireReader } from "../../../lib/base/wire-reader.ts";
import {
  type ListObjectsAnswer_Entry,
  ListObjectsAnswer_EntrySchema,
} from "../../../lib/gen/dolium/metadata/v1/metadata_pb.ts";
import { VersionSchema } from "../../../lib/gen/dolium/record/v1/object_pb.ts";
import { decodeRecord } from "../records.ts";

const DELETE_MARKER = VersionSchema.field.deleteMarker.number;
/** Headers, body, tags, lock, access control list and keys. */
const HIDDEN: ReadonlySet<number> = new Set(
  [
    VersionSchema.field.headers,
    VersionSchema.field.inline,
    VersionSchema.field.manifestId,
    VersionSchema.field.partListId,
    VersionSchema.field.tags,
    VersionSchema.field.lock,
    VersionSchema.field.acl,
    VersionSchema.field.encryption,
    VersionSchema.field.bodyNonce,
  ].map((field) => field.number),
);

const { key: KEY_FIELD, version: VERSION_FIELD } = ListObjectsAnswer_EntrySchema.field;
const BYTES_TYPE = 2;
const KEY_TAG = KEY_FIELD.number * 8 + BYTES_TYPE;
const VERSION_TAG = VERSION_FIELD.number * 8 + BYTES_TYPE;
const START_BYTES = 16 * 1024;
/** Of a length below 2^35. */
const LENGTH_BYTES_MAX = 5;
const SEVEN_BITS = 128;

/** A stored head, looked through once. */
export interface ScannedHead {
  readonly isDeleteMarker: boolean;
  /** Where runs of shown fields begin and end, by turns. */
  readonly runs: readonly number[];
  /** Of all runs. */
  readonly shownBytes: number;
}

/** `head`: an encoded Version. Throws StoreError "corrupt". */
export function scanHead(head: Uint8Array): ScannedHead {
  const reader = new WireReader(head);
  const runs: number[] = [];
  let isDeleteMarker = false;
  let shownBytes = 0;
  let runEnd = -1;
  while (reader.next()) {
    const { field, fieldStart } = reader;
    if (field === DELETE_MARKER) isDeleteMarker = reader.number() !== 0;
    else reader.skip();
    if (HIDDEN.has(field)) continue;
    if (fieldStart === runEnd) runs[runs.length - 1] = reader.at;
    else runs.push(fieldStart, reader.at);
    runEnd = reader.at;
    shownBytes += reader.at - fieldStart;
  }
  return { isDeleteMarker, runs, shownBytes };
}

export class PackedEntries {
  #buffer = Buffer.allocUnsafe(START_BYTES);
  #length = 0;
  #count = 0;

  get count(): number {
    return this.#count;
  }

  get byteLength(): number {
    return this.#length;
  }

  /** Copies what is shown of `head`, which was scanned. */
  add(key: Uint8Array, head: Uint8Array, { runs, shownBytes }: ScannedHead): void {
    const versionBytes = 1 + lengthBytes(shownBytes) + shownBytes;
    const entryBytes = 1 + lengthBytes(key.byteLength) + key.byteLength + versionBytes;
    this.#makeRoom(LENGTH_BYTES_MAX + entryBytes);
    this.#putLength(entryBytes);
    this.#putByte(KEY_TAG);
    this.#putLength(key.byteLength);
    this.#put(key, 0, key.byteLength);
    this.#putByte(VERSION_TAG);
    this.#putLength(shownBytes);
    for (let at = 0; at < runs.length; at += 2) this.#put(head, runs[at] ?? 0, runs[at + 1] ?? 0);
    this.#count += 1;
  }

  /** A view; nothing may be added any more. */
  bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  /** As messages, for a reader that knows no packed ones. */
  messages(): ListObjectsAnswer_Entry[] {
    const bytes = this.bytes();
    const reader = new WireReader(bytes);
    const entries: ListObjectsAnswer_Entry[] = [];
    while (!reader.isAtEnd) {
      const { at: start } = reader.delimited();
      entries.push(decodeRecord(ListObjectsAnswer_EntrySchema, bytes.subarray(start, reader.at)));
    }
    return entries;
  }

  #put(from: Uint8Array, start: number, end: number): void {
    asBuffer(from).copy(this.#buffer, this.#length, start, end);
    this.#length += end - start;
  }

  #putByte(byte: number): void {
    this.#buffer[this.#length] = byte;
    this.#length += 1;
  }

  #putLength(length: number): void {
    let left = length;
    while (left >= SEVEN_BITS) {
      this.#putByte((left % SEVEN_BITS) + SEVEN_BITS);
      left = Math.floor(left / SEVEN_BITS);
    }
    this.#putByte(left);
  }

  #makeRoom(more: number): void {
    if (this.#length + more <= this.#buffer.byteLength) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#length + more, this.#buffer.byteLength * 2));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}

function lengthBytes(length: number): number {
  let bytes = 1;
  for (let left = length; left >= SEVEN_BITS; left = Math.floor(left / SEVEN_BITS)) bytes += 1;
  return bytes;
}
