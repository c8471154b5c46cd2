// Replays the version edits of a LevelDB manifest (db/version_edit.cc) into the files that make up
// the store now. Anything unknown or contradictory throws StoreError "corrupt".
import { toSafeNumber } from "../base/bytes.ts";
import { StoreError } from "../base/errors.ts";
import { ByteReader } from "./byte-reader.ts";

export interface LiveFiles {
  /** Table number to size in bytes. */
  readonly tables: ReadonlyMap<number, number>;
  /**
   * Logs below this number are obsolete, except `previousLogNumber`. Zero: no log was needed yet.
   */
  readonly logNumber: number;
  readonly previousLogNumber: number;
}

interface EditState {
  readonly tables: Map<number, number>;
  logNumber: number | undefined;
  previousLogNumber: number;
  nextFileNumber: number | undefined;
  lastSequence: number | undefined;
}

const COMPARATOR = "leveldb.BytewiseComparator";

/** `records`: the manifest's records in order. */
export function replayManifest(records: readonly Uint8Array[]): LiveFiles {
  const state: EditState = {
    tables: new Map(),
    logNumber: undefined,
    previousLogNumber: 0,
    nextFileNumber: undefined,
    lastSequence: undefined,
  };
  for (const record of records) applyEdit(state, record);
  if (
    state.logNumber === undefined ||
    state.nextFileNumber === undefined ||
    state.lastSequence === undefined
  ) {
    throw new StoreError("corrupt", "the manifest lacks its log, file or sequence number");
  }
  const { tables, logNumber, previousLogNumber } = state;
  return { tables, logNumber, previousLogNumber };
}

function applyEdit(state: EditState, record: Uint8Array): void {
  const reader = new ByteReader(record);
  // LevelDB adds the new files of an edit after removing the deleted ones: a moved table is both.
  const added: [number: number, size: number][] = [];
  while (reader.left > 0) {
    const tag = reader.varint();
    switch (tag) {
      case 1:
        checkComparator(reader.prefixed());
        break;
      case 2:
        state.logNumber = reader.varint();
        break;
      case 3:
        state.nextFileNumber = reader.varint();
        break;
      case 4:
        state.lastSequence = reader.varint();
        break;
      case 5:
        reader.varint();
        reader.prefixed();
        break;
      case 6:
        reader.varint();
        removeTable(state, reader.varint());
        break;
      case 7:
        added.push(readNewTable(reader));
        break;
      case 9:
        state.previousLogNumber = reader.varint();
        break;
      default:
        throw new StoreError("corrupt", `the manifest has an unknown field ${tag}`);
    }
  }
  for (const [number, size] of added) state.tables.set(number, size);
}

function checkComparator(name: Uint8Array): void {
  if (Buffer.compare(name, Buffer.from(COMPARATOR)) !== 0) {
    throw new StoreError("corrupt", "the manifest names another key order");
  }
}

function removeTable(state: EditState, number: number): void {
  if (!state.tables.delete(number)) {
    throw new StoreError("corrupt", `the manifest removes table ${number}, which it does not have`);
  }
}

function readNewTable(reader: ByteReader): [number: number, size: number] {
  reader.varint();
  const number = reader.varint();
  const size = reader.varint();
  reader.prefixed();
  reader.prefixed();
  return [number, size];
}

/** First sequence number and operation count of a write-ahead log's record. */
export function batchHeader(record: Uint8Array): { sequence: number; count: number } {
  const reader = new ByteReader(record);
  return { sequence: toSafeNumber(reader.uint64()), count: reader.uint32() };
}
