// Typed records over checked values: what is stored under a key is a protobuf message of a known
// type. Bytes that do not decode are "corrupt", like a wrong checksum.
import { type DescMessage, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { StoreError } from "../../lib/base/errors.ts";
import type { KeyRange } from "./keys.ts";

/** A key and its payload (checksum verified and taken off). */
export type Entry = readonly [key: Uint8Array, payload: Uint8Array];

/** Walks keys upwards from where it stands. */
export interface Cursor {
  /** The next entry with a key at or after `key`. */
  seek(key: Uint8Array): void;
  next(): Promise<Entry | undefined>;
  close(): Promise<void>;
}

/** Reads verified payloads. All methods throw StoreError "corrupt" when a checksum is wrong. */
export interface StateReader {
  get(key: Uint8Array): Uint8Array | undefined;
  /** Entries of the range, ascending, at most `limit`. */
  scan(range: KeyRange, limit: number): Promise<Entry[]>;
}

/** A frozen state: every read sees the same moment. */
export interface FrozenState extends StateReader {
  /** `ahead`: so many entries are wanted for sure, and may be read at once. */
  cursor(range: KeyRange, ahead?: number): Cursor;
  /** The last key of the range; undefined in an empty one. */
  lastKey(range: KeyRange): Promise<Uint8Array | undefined>;
  /** Bytes that entries of [from, to) take, roughly, as KvReader tells. */
  approximateBytes(from: Uint8Array, to: Uint8Array): Promise<number>;
}

export interface StateWriter extends StateReader {
  put(key: Uint8Array, payload: Uint8Array): void;
  /** A put of a key that is known not to exist (it holds a fresh sequence or index). */
  insert(key: Uint8Array, payload: Uint8Array): void;
  delete(key: Uint8Array): void;
}

export function decodeRecord<S extends DescMessage>(
  schema: S,
  payload: Uint8Array,
): MessageShape<S> {
  try {
    return fromBinary(schema, payload);
  } catch (error) {
    throw new StoreError("corrupt", `a stored ${schema.name} does not decode`, { cause: error });
  }
}

export function readRecord<S extends DescMessage>(
  reader: StateReader,
  schema: S,
  key: Uint8Array,
): MessageShape<S> | undefined {
  const payload = reader.get(key);
  return payload === undefined ? undefined : decodeRecord(schema, payload);
}

export function putRecord<S extends DescMessage>(
  writer: StateWriter,
  schema: S,
  { key, record }: { readonly key: Uint8Array; readonly record: MessageShape<S> },
): void {
  writer.put(key, toBinary(schema, record));
}

export function insertRecord<S extends DescMessage>(
  writer: StateWriter,
  schema: S,
  { key, record }: { readonly key: Uint8Array; readonly record: MessageShape<S> },
): void {
  writer.insert(key, toBinary(schema, record));
}
