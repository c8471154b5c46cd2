// Reads shards. No byte leaves before its cell was checked; the first bad cell ends the answer with
// "corrupt" and puts the shard on the list of bad ones. A reader keeps its segment from being
// removed.
import { StoreError } from "../lib/base/errors.ts";
import type { DiskFile } from "../lib/ports/disk.ts";
import { CellSource, type CheckedRun } from "./cell-source.ts";
import { type IndexEntry, placeOf } from "./index-entry.ts";
import { type ShardPlace, verifyShard } from "./segment-scan.ts";
import { cellCountOf, type ShardName } from "./shard-types.ts";
import type { Finder, StoreContext } from "./store-context.ts";

export interface CellSelection {
  readonly firstCell: number;
  /** 0: to the end. */
  readonly cellCount: number;
  /** Cells may come together, up to so many bytes; one by one when left out. */
  readonly runBytes?: number;
}

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
 * Cells of a shard in order; what comes is the caller's. Throws "not-found", "invalid" for cells
 * past the end, "corrupt" at the first bad one, after those before it, "io".
 */
export async function* readCells(
  context: StoreContext,
  name: ShardName,
  selection: CellSelection,
): AsyncGenerator<CheckedRun, void, void> {
  const entry = context.requireEntry(name);
  const cells = cellCountOf(entry.shard);
  const { firstCell, runBytes = 0 } = selection;
  const end = selection.cellCount === 0 ? cells : firstCell + selection.cellCount;
  if (firstCell >= cells || end > cells) {
    throw new StoreError("invalid", `shard has ${cells} cells, asked for ${firstCell} to ${end}`);
  }
  const { segments, metrics, label } = context.parts;
  const segment = context.segmentOf(entry);
  const file = await enterFor(context, entry);
  let source: CellSource | undefined;
  try {
    source = await CellSource.open({ context, entry, file }, { firstCell, endCell: end });
    for (let cell = firstCell; cell < end; ) {
      const run = await source.take(cell, runBytes);
      cell += run.checksums.length;
      metrics.readBytes.increment({ disk: label }, run.data.byteLength);
      yield run;
    }
  } finally {
    await source?.close();
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
