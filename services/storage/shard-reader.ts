// Reads shards. No byte leaves before its cell was checked; the first bad cell ends the answer with
// "corrupt" and puts the shard on the list of bad ones. A reader keeps its segment from being
// removed.
import { crc32 } from "node:zlib";
import { StoreError } from "../lib/base/errors.ts";
import { cellChecksum } from "../lib/erasure/checksum.ts";
import type { DiskFile } from "../lib/ports/disk.ts";
import { type IndexEntry, placeOf } from "./index-entry.ts";
import { tableEntry } from "./record-format.ts";
import { readCell, readTable, type ShardPlace, verifyShard } from "./segment-scan.ts";
import { cellCountOf, printName, type ShardName } from "./shard-types.ts";
import type { Finder, StoreContext } from "./store-context.ts";

export interface CheckedCell {
  readonly data: Uint8Array;
  readonly checksum: number;
}

export interface CellSelection {
  readonly firstCell: number;
  /** 0: to the end. */
  readonly cellCount: number;
}

/** Shards up to this size are read at once. */
const WHOLE_BYTES_MAX = 128 * 1024;

/** Opens the segment of `entry`, does `work` with its file, and lets the segment go again. */
export async function withFile<T>(
  context: StoreContext,
  entry: IndexEntry,
  work: (file: DiskFile, place: ShardPlace) => Promise<T>,
): Promise<T> {
  const { segments } = context.parts;
  const segment = context.segmentOf(entry);
  const file = await segments.enter(segment);
  try {
    return await work(file, placeOf(entry));
  } finally {
    segments.leave(segment);
  }
}

/**
 * Cells of a shard in order; each is the caller's. Throws "not-found", "invalid" for cells past the
 * end, "corrupt" at the first bad one, "io".
 */
export async function* readCells(
  context: StoreContext,
  name: ShardName,
  selection: CellSelection,
): AsyncGenerator<CheckedCell, void, void> {
  const entry = context.requireEntry(name);
  const cells = cellCountOf(entry.shard);
  const { firstCell } = selection;
  const end = selection.cellCount === 0 ? cells : firstCell + selection.cellCount;
  if (firstCell >= cells || end > cells) {
    throw new StoreError("invalid", `shard has ${cells} cells, asked for ${firstCell} to ${end}`);
  }
  const { segments, metrics, label } = context.parts;
  const segment = context.segmentOf(entry);
  const file = await enterFor(context, entry);
  let source: CellSource | undefined;
  try {
    source = await CellSource.open({ context, entry, file });
    for (let cell = firstCell; cell < end; cell += 1) {
      const data = await source.take(cell, end);
      metrics.readBytes.increment({ disk: label }, data.data.byteLength);
      yield data;
    }
  } finally {
    await source?.drain();
    segments.leave(segment);
  }
}

async function enterFor(context: StoreContext, entry: IndexEntry): Promise<DiskFile> {
  try {
    return await context.parts.segments.enter(context.segmentOf(entry));
  } catch (error) {
    throw context.readFailure(error, entry, "reader");
  }
}

interface SourceParts {
  readonly context: StoreContext;
  readonly entry: IndexEntry;
  readonly file: DiskFile;
}

/** Cells of one shard: small shards come in one read, others one cell ahead of the taker. */
class CellSource {
  readonly #parts: SourceParts;
  readonly #place: ShardPlace;
  readonly #table: Uint8Array;
  readonly #whole: Uint8Array | undefined;
  #ahead: { readonly cell: number; readonly data: Promise<CheckedCell | Error> } | undefined;

  private constructor(parts: SourceParts, table: Uint8Array, whole: Uint8Array | undefined) {
    this.#parts = parts;
    this.#place = placeOf(parts.entry);
    this.#table = table;
    this.#whole = whole;
  }

  static async open(parts: SourceParts): Promise<CellSource> {
    const { context, entry, file } = parts;
    const place = placeOf(entry);
    try {
      if (place.layout.bodyBytes + place.layout.tableBytes <= WHOLE_BYTES_MAX) {
        const whole = new Uint8Array(place.layout.bodyBytes + place.layout.tableBytes);
        const offset = entry.offset + place.layout.headerBytes;
        const read = await timed(context, () => file.read(whole, offset));
        const table = whole.subarray(place.layout.bodyBytes);
        const isGood = read === whole.byteLength && crc32(table) === entry.tableCrc;
        if (isGood) return new CellSource(parts, table, whole);
      } else {
        const table = await readTable(file, place);
        if (table !== undefined) return new CellSource(parts, table, undefined);
      }
    } catch (error) {
      throw context.readFailure(error, entry, "reader");
    }
    throw damaged(context, entry, "the table of checksums is damaged");
  }

  async take(cell: number, end: number): Promise<CheckedCell> {
    if (this.#whole !== undefined) return this.#cut(cell, this.#whole);
    const ahead = this.#ahead?.cell === cell ? this.#ahead.data : this.#start(cell);
    const taken = await ahead;
    this.#ahead = undefined;
    if (taken instanceof Error) throw taken;
    if (cell + 1 < end) this.#ahead = { cell: cell + 1, data: this.#start(cell + 1) };
    return taken;
  }

  /** Waits for a read that nobody wants any more. */
  async drain(): Promise<void> {
    await this.#ahead?.data;
  }

  #cut(cell: number, whole: Uint8Array): CheckedCell {
    const { shard } = this.#parts.entry;
    const at = cell * shard.cellBytes;
    const end = Math.min(at + shard.cellBytes, shard.shardBytes);
    const data = whole.subarray(at, end);
    const checksum = tableEntry(this.#table, cell);
    const { chunkId, shardIndex } = shard.name;
    if (cellChecksum(chunkId, shardIndex, cell, data) === checksum) return { data, checksum };
    throw damaged(this.#parts.context, this.#parts.entry, `cell ${cell} is damaged`);
  }

  /** Never rejects: nobody may be there to see it. */
  async #start(cell: number): Promise<CheckedCell | Error> {
    const { context, entry, file } = this.#parts;
    try {
      const at = { cell, table: this.#table };
      const data = await timed(context, () => readCell(file, this.#place, at));
      if (data !== undefined) return { data, checksum: tableEntry(this.#table, cell) };
      return damaged(context, entry, `cell ${cell} is damaged`);
    } catch (error) {
      return context.readFailure(error, entry, "reader");
    }
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

export type ShardState = "present" | "missing" | "corrupt";

/** Is it there, and whole? With `verify` every byte is read. Throws "io" and "unavailable". */
export async function statShard(
  context: StoreContext,
  name: ShardName,
  verify: boolean,
): Promise<ShardState> {
  const { index } = context.parts;
  const entry = index.get(name);
  if (entry === undefined) return "missing";
  if (index.isBad(name)) return "corrupt";
  if (!verify) return "present";
  const problem = await verifyEntry(context, entry, "verifier");
  return problem === undefined ? "present" : "corrupt";
}

/** Reads a shard's cells and table; what is wrong, if anything, is noted and returned. */
export async function verifyEntry(
  context: StoreContext,
  entry: IndexEntry,
  by: Finder,
  pace?: (bytes: number) => Promise<void>,
): Promise<string | undefined> {
  let problem: string | undefined;
  try {
    problem = await withFile(context, entry, (file, place) => verifyShard(file, place, pace));
  } catch (error) {
    const failure = context.readFailure(error, entry, by);
    if (failure.code !== "io") throw failure;
    return failure.message;
  }
  if (problem !== undefined) context.noteBad(entry, problem, by);
  return problem;
}
