// One segment file of the Raft log: opened, written in whole batches, read with every record
// checked, removed once nobody reads it any more.
import { assert } from "../lib/base/assert.ts";
import { StoreError } from "../lib/base/errors.ts";
import type { DiskFile } from "../lib/ports/disk.ts";
import {
  checksumSeed,
  type DecodedRecord,
  decodeRecord,
  encodeRecordHeader,
  type LogRecord,
  RECORD_HEADER_BYTES,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
} from "./log-format.ts";

/** A record to be written; its place in the batch decides the rest. */
export type NewRecord = Omit<LogRecord, "endOfBatch" | "batch">;

export interface EncodedBatch {
  readonly pieces: readonly Uint8Array[];
  readonly bytes: number;
  /** File offset of each record. */
  readonly offsets: readonly number[];
  readonly checksum: number;
}

export class Segment {
  readonly number: number;
  readonly path: string;
  readonly seed: number;
  readonly #file: DiskFile;
  /** End of the last whole batch (or seal). */
  #end: number;
  /** Bytes beyond the last sync (a seal, the remains of a refused batch). */
  #dirty = false;
  #readers = 0;
  #retired = false;

  /** `place`: where the open file is found; the segment owns the file. */
  constructor(
    place: { readonly path: string; readonly file: DiskFile },
    header: SegmentHeader,
    end: number,
  ) {
    assert(end >= SEGMENT_HEADER_BYTES, "segment: ends inside its header");
    const { file, path } = place;
    this.number = header.number;
    this.path = path;
    this.seed = checksumSeed(header.nonce);
    this.#file = file;
    this.#end = end;
  }

  get end(): number {
    return this.#end;
  }

  get dirty(): boolean {
    return this.#dirty;
  }

  encode(records: readonly NewRecord[], batch: number, previousChecksum: number): EncodedBatch {
    let checksum = previousChecksum;
    let offset = this.#end;
    const pieces: Uint8Array[] = [];
    const offsets: number[] = [];
    records.forEach((record, at) => {
      const full = { ...record, batch, endOfBatch: at === records.length - 1 };
      const encoded = encodeRecordHeader(full, checksum, this.seed);
      checksum = encoded.checksum;
      pieces.push(encoded.header, record.payload);
      offsets.push(offset);
      offset += RECORD_HEADER_BYTES + record.payload.byteLength;
    });
    return { pieces, bytes: offset - this.#end, offsets, checksum };
  }

  /** Writes behind the last batch without syncing. On an error the end stays where it was. */
  async write(batch: EncodedBatch): Promise<void> {
    this.#dirty = true;
    await this.#file.write(batch.pieces, this.#end);
    this.#end += batch.bytes;
  }

  async sync(): Promise<void> {
    await this.#file.datasync();
    this.#dirty = false;
  }

  /** Drops what lies behind the last whole batch. */
  async trim(): Promise<void> {
    this.#dirty = true;
    await this.#file.truncate(this.#end);
  }

  /** The records at `offsets` (ascending); "corrupt" when one is not whole. */
  async read(places: readonly { offset: number; bytes: number }[]): Promise<DecodedRecord[]> {
    const first = places[0];
    const last = places.at(-1);
    if (first === undefined || last === undefined) return [];
    this.#readers += 1;
    try {
      const span = new Uint8Array(last.offset + last.bytes - first.offset);
      const got = await this.#file.read(span, first.offset);
      const view = span.subarray(0, got);
      return places.map((place) => {
        const record = decodeRecord(view, place.offset - first.offset, this.seed);
        if (record !== undefined) return record;
        throw new StoreError("corrupt", `${this.path}: bad record at ${place.offset}`);
      });
    } finally {
      this.#readers -= 1;
      if (this.#retired && this.#readers === 0) await this.#file.close();
    }
  }

  /** Closes the file, at once or when the last reader is through. */
  async retire(): Promise<void> {
    assert(!this.#retired, "segment: closed twice");
    this.#retired = true;
    if (this.#readers === 0) await this.#file.close();
  }
}
