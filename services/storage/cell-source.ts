// Where a reader's cells come from: small shards come in one read, of others runs of cells, longer
// and longer and one run ahead of the taker, since each read costs as much as copying many
// kilobytes. A cell is checked when it is taken. What all readers of a disk hold beyond a cell each
// is bounded; where that is used up they read cell by cell.
import { crc32 } from "node:zlib";
import { assert } from "../lib/base/assert.ts";
import { StoreError } from "../lib/base/errors.ts";
import { takeReadBuffer } from "../lib/base/read-buffers.ts";
import { proveRun } from "../lib/erasure/proven-cells.ts";
import type { DiskFile } from "../lib/ports/disk.ts";
import { type IndexEntry, placeOf } from "./index-entry.ts";
import { tableEntry } from "./record-format.ts";
import { readTable, type ShardPlace } from "./segment-scan.ts";
import { printName } from "./shard-types.ts";
import type { StoreContext } from "./store-context.ts";

/** Cells that follow one another, in one piece of memory. */
export interface CheckedRun {
  readonly data: Uint8Array;
  /** Length of every cell but the last of the shard. */
  readonly cellBytes: number;
  /** One a cell. */
  readonly checksums: readonly number[];
}

export interface SourceParts {
  readonly context: StoreContext;
  readonly entry: IndexEntry;
  readonly file: DiskFile;
}

/** Shards up to this size are read at once. */
const WHOLE_BYTES_MAX = 128 * 1024;
const RUN_BYTES_MAX = 1024 * 1024;

/** Cells [firstCell, endCell), read at once; only the first `readBytes` bytes came. */
interface Run {
  readonly firstCell: number;
  readonly endCell: number;
  readonly bytes: Uint8Array;
  readonly readBytes: number;
  /** Taken from the budget of the disk. */
  readonly extraBytes: number;
}

/** Cells [firstCell, endCell) of a shard. */
export interface CellSpan {
  readonly firstCell: number;
  readonly endCell: number;
}

/** Cells of one shard, in ascending order. */
export class CellSource {
  readonly #parts: SourceParts;
  readonly #place: ShardPlace;
  readonly #endCell: number;
  #table: Uint8Array = new Uint8Array(0);
  #run: Run | undefined;
  #ahead: Promise<Run | StoreError> | undefined;
  /** Cells of the next run, where the disk's budget has them. */
  #runCells = 1;
  #runCellsMax: number;

  private constructor(parts: SourceParts, endCell: number) {
    this.#parts = parts;
    this.#place = placeOf(parts.entry);
    this.#endCell = endCell;
    this.#runCellsMax = Math.max(1, Math.floor(RUN_BYTES_MAX / parts.entry.shard.cellBytes));
  }

  /**
   * Reads what is needed first: small shards whole, of others the table and `firstCell` at once.
   * Throws "corrupt", "io".
   */
  static async open(parts: SourceParts, cells: CellSpan): Promise<CellSource> {
    const { context, entry } = parts;
    const { bodyBytes, tableBytes } = placeOf(entry).layout;
    const source = new CellSource(parts, cells.endCell);
    let table: Uint8Array | undefined;
    try {
      if (bodyBytes + tableBytes <= WHOLE_BYTES_MAX) table = await source.#readWhole();
      else table = await source.#readTableAnd(cells.firstCell);
    } catch (error) {
      throw context.readFailure(error, entry, "reader");
    }
    if (table === undefined) {
      await source.close();
      throw damaged(context, entry, "the table of checksums is damaged");
    }
    source.#table = table;
    return source;
  }

  /**
   * The cell, and with it those after it that were read already, up to `bytesMax` in all; each
   * checked, none bad. The caller's. What is taken one after the other may share memory.
   */
  async take(cell: number, bytesMax: number): Promise<CheckedRun> {
    const held = this.#run;
    if (held !== undefined && cell < held.endCell) return this.#cut(cell, held, bytesMax);
    const next = await (this.#ahead ?? this.#start(cell));
    this.#ahead = undefined;
    this.#letGo(held);
    this.#run = undefined;
    if (next instanceof StoreError) throw next;
    this.#run = next;
    if (next.endCell < this.#endCell) this.#ahead = this.#start(next.endCell);
    return this.#cut(cell, next, bytesMax);
  }

  /** Waits for a read that nobody wants any more. Nothing is taken afterwards. */
  async close(): Promise<void> {
    const ahead = await this.#ahead;
    if (!(ahead instanceof StoreError)) this.#letGo(ahead);
    this.#letGo(this.#run);
    this.#ahead = undefined;
    this.#run = undefined;
  }

  async #readWhole(): Promise<Uint8Array | undefined> {
    const { context, entry, file } = this.#parts;
    const { bodyBytes, tableBytes, headerBytes } = this.#place.layout;
    const whole = new Uint8Array(bodyBytes + tableBytes);
    const read = await timed(context, () => file.read(whole, entry.offset + headerBytes));
    const table = whole.subarray(bodyBytes);
    if (read !== whole.byteLength || crc32(table) !== entry.tableCrc) return undefined;
    const bytes = whole.subarray(0, bodyBytes);
    const span = { firstCell: 0, endCell: this.#endCell };
    this.#run = { ...span, bytes, readBytes: bodyBytes, extraBytes: 0 };
    return table;
  }

  /** Both are over when it ends, however it ends. */
  async #readTableAnd(firstCell: number): Promise<Uint8Array | undefined> {
    this.#ahead = this.#start(firstCell);
    try {
      return await readTable(this.#parts.file, this.#place);
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  #cut(cell: number, run: Run, bytesMax: number): CheckedRun {
    const { firstCell, endCell, bytes, readBytes } = run;
    assert(cell >= firstCell, "CellSource: cells are taken in order");
    const { context, entry } = this.#parts;
    const { name, cellBytes } = entry.shard;
    const at = (cell - firstCell) * cellBytes;
    const cellsMax = Math.max(1, Math.floor(bytesMax / cellBytes));
    const count = Math.min(cellsMax, endCell - cell);
    const data = bytes.subarray(at, at + count * cellBytes);
    const checksums = Array.from({ length: count }, (_, i) => tableEntry(this.#table, cell + i));
    const place = { ...name, firstCell: cell, cellBytes };
    const isRead = at + data.byteLength <= readBytes;
    // The file ended within the run: cell by cell, those before its end are whole.
    if (!isRead && count > 1) return this.#cut(cell, run, 0);
    const right = isRead ? proveRun(place, data, checksums) : 0;
    if (right === count) return { data, cellBytes, checksums };
    if (right === 0) throw damaged(context, entry, `cell ${cell} is damaged`);
    // The bad one is met when it is taken.
    const good = data.subarray(0, right * cellBytes);
    return { data: good, cellBytes, checksums: checksums.slice(0, right) };
  }

  /** The run that begins with `cell`. Never rejects: nobody may be there to see it. */
  async #start(cell: number): Promise<Run | StoreError> {
    const { context, entry, file } = this.#parts;
    const { shardBytes, cellBytes } = entry.shard;
    const { cellCount, extraBytes } = this.#planRun(cell);
    const offset = this.#place.offset + this.#place.layout.headerBytes + cell * cellBytes;
    try {
      const length = Math.min(cellCount * cellBytes, shardBytes - cell * cellBytes);
      const bytes = takeReadBuffer(length);
      const readBytes = await timed(context, () => file.read(bytes, offset));
      return { firstCell: cell, endCell: cell + cellCount, bytes, readBytes, extraBytes };
    } catch (error) {
      context.readAhead.giveBack(extraBytes);
      if (cellCount === 1) return context.readFailure(error, entry, "reader");
    }
    // One place of the run cannot be read: from now on cell by cell, for those that can.
    this.#runCellsMax = 1;
    return this.#start(cell);
  }

  #planRun(cell: number): { readonly cellCount: number; readonly extraBytes: number } {
    const { cellBytes } = this.#parts.entry.shard;
    const cellCount = Math.min(this.#runCells, this.#runCellsMax, this.#endCell - cell);
    const extraBytes = (cellCount - 1) * cellBytes;
    if (!this.#parts.context.readAhead.take(extraBytes)) return { cellCount: 1, extraBytes: 0 };
    this.#runCells = Math.min(2 * cellCount, this.#runCellsMax);
    return { cellCount, extraBytes };
  }

  #letGo(run: Run | undefined): void {
    if (run !== undefined) this.#parts.context.readAhead.giveBack(run.extraBytes);
  }
}

async function timed<T>({ parts }: StoreContext, read: () => Promise<T>): Promise<T> {
  const { clock, metrics, label } = parts;
  const beganMs = clock.monotonicMs();
  const value = await read();
  const seconds = (clock.monotonicMs() - beganMs) / 1000;
  metrics.operationSeconds.observe(seconds, { disk: label, op: "read" });
  return value;
}

function damaged(context: StoreContext, entry: IndexEntry, reason: string): StoreError {
  context.noteBad(entry, reason, "reader");
  return new StoreError("corrupt", `shard ${printName(entry.shard.name)}: ${reason}`);
}
