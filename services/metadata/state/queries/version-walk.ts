// Walks all versions of a bucket: keys ascending, newest first within a key. Heads and older
// versions stand in two tables in the same order of keys, so a walk is two cursors side by side,
// and what is passed over is jumped over in both.
import { StoreError } from "../../../lib/base/errors.ts";
import { type Version, VersionSchema } from "../../../lib/gen/dolium/record/v1/object_pb.ts";
import {
  headKey,
  type KeyRange,
  keyOfHead,
  prefixEnd,
  versionPrefix,
  versionsPrefix,
} from "../keys.ts";
import { type Cursor, decodeRecord, type Entry, type FrozenState } from "../records.ts";
import { startsWith } from "./delimited.ts";

export interface WalkedVersion {
  readonly key: Uint8Array;
  readonly version: Version;
  readonly isLatest: boolean;
  /** When the next newer version was written; 0 for the latest. */
  readonly noncurrentSinceMs: bigint;
}

/** A key within whose versions a walk begins. */
export interface OpenKey {
  readonly key: Uint8Array;
  /** When the version before the first one of the walk was written. */
  readonly newerMs: bigint;
}

export interface WalkStart {
  readonly heads: KeyRange;
  readonly older: KeyRange;
  readonly within?: OpenKey;
}

export class VersionWalk {
  readonly #bucketId: number;
  readonly #heads: Cursor;
  readonly #older: Cursor;
  #within: OpenKey | undefined;
  /** Read from the older versions and not passed on yet. */
  #ahead: Entry | undefined;

  constructor(state: FrozenState, bucketId: number, start: WalkStart) {
    this.#bucketId = bucketId;
    this.#heads = state.cursor(start.heads);
    this.#older = state.cursor(start.older);
    this.#within = start.within;
  }

  async next(): Promise<WalkedVersion | undefined> {
    const older = this.#within === undefined ? undefined : await this.#nextOlder(this.#within);
    if (older !== undefined) return older;
    this.#within = undefined;
    const entry = await this.#heads.next();
    if (entry === undefined) return undefined;
    const key = keyOfHead(entry[0]);
    const version = decodeRecord(VersionSchema, entry[1]);
    this.#within = { key, newerMs: version.modifiedMs };
    return { key, version, isLatest: true, noncurrentSinceMs: 0n };
  }

  /** Passes over all keys that begin with `keyPrefix`; false when nothing can come after. */
  skip(keyPrefix: Uint8Array): boolean {
    const head = prefixEnd(headKey(this.#bucketId, keyPrefix));
    const older = prefixEnd(versionsPrefix(this.#bucketId, keyPrefix));
    if (head === undefined || older === undefined) return false;
    this.#within = undefined;
    this.#heads.seek(head);
    const isPast = this.#ahead !== undefined && Buffer.compare(this.#ahead[0], older) >= 0;
    if (isPast) return true;
    this.#ahead = undefined;
    this.#older.seek(older);
    return true;
  }

  async close(): Promise<void> {
    await this.#heads.close();
    await this.#older.close();
  }

  async #nextOlder({ key, newerMs }: OpenKey): Promise<WalkedVersion | undefined> {
    const prefix = versionPrefix(this.#bucketId, key);
    this.#ahead ??= await this.#older.next();
    const entry = this.#ahead;
    if (entry === undefined) return undefined;
    if (!startsWith(entry[0], prefix)) {
      if (Buffer.compare(entry[0], prefix) > 0) return undefined;
      throw new StoreError("corrupt", "a version of a key without a current one");
    }
    this.#ahead = undefined;
    const version = decodeRecord(VersionSchema, entry[1]);
    this.#within = { key, newerMs: version.modifiedMs };
    return { key, version, isLatest: false, noncurrentSinceMs: newerMs };
  }
}
