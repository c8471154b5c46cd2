// Writes one shard, cell by cell, into room reserved for it when its header came; many at once
// share a segment. Every cell is checked before it is written. Nothing is visible before `finish`
// resolves, and then it is power-safe. Holds at most two cells.
import { crc32 } from "node:zlib";
import { assert } from "../lib/base/assert.ts";
import { copyBytes, equalBytes } from "../lib/base/bytes.ts";
import { StoreError } from "../lib/base/errors.ts";
import { cellChecksum } from "../lib/erasure/checksum.ts";
import type { IndexEntry } from "./index-entry.ts";
import {
  encodeFooter,
  encodeRecordHeader,
  encodeTable,
  FOOTER_BYTES,
  layoutOf,
  type RecordHeader,
  type RecordLayout,
} from "./record-format.ts";
import type { Extent } from "./segment.ts";
import {
  cellCountOf,
  cellLengthOf,
  nameText,
  printName,
  type ShardDescription,
} from "./shard-types.ts";
import type { StoreContext } from "./store-context.ts";

export class ShardWriter {
  readonly #context: StoreContext;
  readonly #extent: Extent;
  readonly #onEnd: () => void;
  readonly #layout: RecordLayout;
  readonly #checksums: Uint32Array;
  readonly #writtenMs: number;
  #shard: ShardDescription;
  /** Encoded and not yet written, in order. */
  #pending: Uint8Array[];
  #pendingOffset: number;
  #headerCrc: number;
  #cell = 0;
  #failure: unknown;
  #state: "open" | "finishing" | "ended" = "open";

  /** `onEnd` is called exactly once. The extent belongs to the writer. */
  constructor(
    context: StoreContext,
    shard: ShardDescription,
    room: { readonly extent: Extent; readonly onEnd: () => void },
  ) {
    this.#context = context;
    this.#extent = room.extent;
    this.#onEnd = room.onEnd;
    this.#shard = shard;
    this.#writtenMs = context.parts.clock.wallMs();
    this.#layout = layoutOf({ kind: "shard", shard, writtenMs: 0 });
    this.#checksums = new Uint32Array(cellCountOf(shard));
    const header = this.#encodeHeader();
    this.#headerCrc = crcOf(header);
    this.#pending = [header];
    this.#pendingOffset = room.extent.offset;
  }

  /**
   * Takes the next cell. Throws "corrupt" when it does not fit its checksum, "invalid" when it is
   * one too many or has the wrong length, "no-space", "io". `data` is borrowed until then.
   */
  async write(data: Uint8Array, checksum: number): Promise<void> {
    assert(this.#state === "open", "shard writer: written to after its end");
    const cell = this.#cell;
    const { chunkId, shardIndex } = this.#shard.name;
    if (cell >= this.#checksums.length) throw new StoreError("invalid", "more cells than declared");
    const length = cellLengthOf(this.#shard, cell);
    if (data.byteLength !== length) {
      const message = `cell ${cell} has ${data.byteLength} bytes, not ${length}`;
      throw new StoreError("invalid", message);
    }
    if (cellChecksum(chunkId, shardIndex, cell, data) !== checksum) {
      throw new StoreError("corrupt", `cell ${cell} does not fit its checksum`);
    }
    this.#checksums[cell] = checksum;
    this.#cell += 1;
    const isLast = this.#cell === this.#checksums.length;
    // The last one waits for what goes to the disk with it.
    this.#pending.push(isLast ? copyBytes(data) : data);
    if (!isLast) await this.#flush();
  }

  /**
   * Makes the shard durable and visible; resolves with its checksum. Ends the writer in any case.
   * Throws "invalid" when cells are missing, "conflict" when other bytes stand under the name,
   * "no-space", "io".
   */
  async finish(): Promise<number> {
    assert(this.#state === "open", "shard writer: finished twice");
    this.#state = "finishing";
    try {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#cell < this.#checksums.length) {
        throw new StoreError("invalid", `${this.#cell} cells came, not ${this.#checksums.length}`);
      }
      const table = encodeTable(this.#checksums);
      const tableCrc = crc32(table);
      await this.#context.parts.locks.run(nameText(this.#shard.name), () =>
        this.#commit(table, tableCrc),
      );
      return tableCrc;
    } finally {
      this.#end();
    }
  }

  /** Gives up, whatever came; harmless after the end. Must not run beside `write` or `finish`. */
  abandon(): void {
    if (this.#state === "ended") return;
    assert(this.#state === "open", "shard writer: abandoned while finishing");
    this.#end();
  }

  #end(): void {
    this.#state = "ended";
    this.#pending = [];
    this.#context.parts.segments.settle(this.#extent);
    this.#onEnd();
  }

  async #commit(table: Uint8Array, tableCrc: number): Promise<void> {
    const { index, metrics, label, clock } = this.#context.parts;
    const { name } = this.#shard;
    const text = nameText(name);
    const existing = index.get(name);
    if (existing !== undefined) {
      this.#requireSame(existing, tableCrc);
      const isGood = !index.isBad(name) && !this.#context.unproven.has(text);
      if (isGood && existing.shard.begunMs >= this.#shard.begunMs) {
        metrics.writes.increment({ disk: label, outcome: "present" });
        return;
      }
      await this.#raiseBegun(existing.shard.begunMs);
    }
    const sequence = this.#context.nextSequence();
    const startMs = clock.monotonicMs();
    await this.#writeEnd(table, { headerCrc: this.#headerCrc, tableCrc, sequence });
    await this.#context.commit(this.#extent);
    const seconds = (clock.monotonicMs() - startMs) / 1000;
    metrics.operationSeconds.observe(seconds, { disk: label, op: "commit" });
    const { segment, offset } = this.#extent;
    const entry = { shard: this.#shard, segment: segment.number, offset, tableCrc, sequence };
    if (existing !== undefined) this.#context.account(existing, -1);
    this.#context.account(entry, 1);
    this.#context.unproven.delete(text);
    index.put(entry);
    metrics.writes.increment({ disk: label, outcome: "written" });
    metrics.writtenBytes.increment({ disk: label }, this.#shard.shardBytes);
  }

  #requireSame(existing: IndexEntry, tableCrc: number): void {
    const mine = this.#shard;
    const theirs = existing.shard;
    const same =
      theirs.shardBytes === mine.shardBytes &&
      theirs.cellBytes === mine.cellBytes &&
      existing.tableCrc === tableCrc &&
      theirs.owner.bucketId === mine.owner.bucketId &&
      equalBytes(theirs.owner.manifestId, mine.owner.manifestId) &&
      equalBytes(theirs.owner.key, mine.owner.key);
    if (same) return;
    throw new StoreError("conflict", `shard ${printName(mine.name)} is there with other bytes`);
  }

  /** A copy that replaces one begun later carries the later time. */
  async #raiseBegun(begunMs: number): Promise<void> {
    if (begunMs <= this.#shard.begunMs) return;
    this.#shard = { ...this.#shard, begunMs };
    const header = this.#encodeHeader();
    this.#headerCrc = crcOf(header);
    await this.#context.writeExtent(this.#extent, [header], this.#extent.offset);
    if (this.#pendingOffset === this.#extent.offset) this.#pending[0] = header;
  }

  async #flush(): Promise<void> {
    const pieces = this.#pending;
    const offset = this.#pendingOffset;
    this.#pending = [];
    this.#pendingOffset += pieces.reduce((sum, piece) => sum + piece.byteLength, 0);
    try {
      await this.#context.writeExtent(this.#extent, pieces, offset);
    } catch (error) {
      this.#failure = error;
      throw error;
    }
  }

  async #writeEnd(
    table: Uint8Array,
    footer: { readonly headerCrc: number; readonly tableCrc: number; readonly sequence: number },
  ): Promise<void> {
    const padding = this.#layout.recordBytes - this.#layout.footerOffset - FOOTER_BYTES;
    const encoded = encodeFooter(footer, this.#place());
    this.#pending.push(table, encoded, new Uint8Array(padding));
    await this.#flush();
    assert(
      this.#pendingOffset === this.#extent.offset + this.#layout.recordBytes,
      "shard writer: the record fills its extent",
    );
  }

  #place(): { readonly nonce: Uint8Array; readonly offset: number } {
    const header = this.#extent.segment.header;
    assert(header !== undefined && header !== null, "shard writer: segment without header");
    return { nonce: header.nonce, offset: this.#extent.offset };
  }

  #encodeHeader(): Uint8Array {
    const header: RecordHeader = {
      kind: "shard",
      shard: this.#shard,
      writtenMs: this.#writtenMs,
    };
    return encodeRecordHeader(header, this.#place());
  }
}

/** The checksum a record header ends with. */
export function crcOf(header: Uint8Array): number {
  return new DataView(header.buffer, header.byteOffset).getUint32(header.byteLength - 4, true);
}
