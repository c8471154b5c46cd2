// Which shards a disk has and where. Changes stand in memory until a checkpoint writes them to the
// store in one synced batch, together with the place in the segments up to which they are complete;
// after a crash the rest is read from the segments. So a store that fails to write loses nothing
// but time.
import { present } from "../lib/base/assert.ts";
import { Mutex } from "../lib/base/bounded.ts";
import { compareBytes } from "../lib/base/bytes.ts";
import { isStoreError, StoreError } from "../lib/base/errors.ts";
import type { Kv, KvIterator, KvOperation } from "../lib/ports/kv.ts";
import {
  BAD_RANGE,
  type BadShard,
  badKey,
  CHECKPOINT_KEY,
  type Checkpoint,
  DOUBT_KEY,
  decodeBad,
  decodeDoubt,
  decodeEntry,
  encodeBad,
  encodeCheckpoint,
  encodeDoubt,
  encodeEntry,
  encodeScrub,
  encodeStats,
  type IndexEntry,
  nameInKey,
  SCRUB_KEY,
  SHARD_RANGE,
  type StoredStats,
  segmentKey,
  shardKey,
} from "./index-entry.ts";
import { nameText, type ShardName } from "./shard-types.ts";

export type EntryChange =
  | { readonly kind: "put"; readonly entry: IndexEntry }
  | { readonly kind: "remove"; readonly name: ShardName };
type BadChange =
  | { readonly kind: "put"; readonly bad: BadShard }
  | { readonly kind: "remove"; readonly name: ShardName };

/** What a checkpoint says besides the changes; taken at one instant. */
export interface CheckpointState {
  readonly checkpoint: Omit<Checkpoint, "badCursor">;
  readonly stats: readonly { readonly number: number; readonly stats: StoredStats | undefined }[];
}

/** Bad shards remembered; past it the disk is hopeless anyway and the scrubber reports by count. */
const BAD_SHARDS_MAX = 100_000;
/** Each rebuild of the index starts its cursors above any that the clock of the past has given. */
const CURSORS_PER_MS = 1024;

export class ShardIndex {
  #kv: Kv;
  readonly #changes = new Map<string, EntryChange>();
  readonly #badChanges = new Map<string, BadChange>();
  readonly #bad = new Map<string, BadShard>();
  readonly #writing = new Mutex();
  #badCursor = 0;
  #doubtMs = 0;
  #damaged = false;

  constructor(kv: Kv) {
    this.#kv = kv;
  }

  /** A stored value is wrong, or the files are: the index must be made anew. */
  get damaged(): boolean {
    return this.#damaged;
  }

  /**
   * Since when, milliseconds since 1970, it is in doubt whether all shards that were acknowledged
   * are here; 0: no doubt. Kept over restarts, from the next checkpoint on.
   */
  get doubtMs(): number {
    return this.#doubtMs;
  }

  /** Recovery left something out, or the index had to be made anew. */
  doubt(wallMs: number): void {
    this.#doubtMs = Math.max(this.#doubtMs + 1, Math.floor(wallMs));
  }

  /** Somebody compared the disk with the manifests; a doubt that came later stays. */
  settleDoubt(doubtMs: number): void {
    if (doubtMs === this.#doubtMs) this.#doubtMs = 0;
  }

  /** Reads the list of bad shards, and the doubt of before. */
  async load(badCursor: number): Promise<void> {
    this.#badCursor = badCursor;
    const iterator = this.#kv.iterate(BAD_RANGE);
    try {
      this.#doubtMs = decodeDoubt(this.#kv.get(DOUBT_KEY));
      for (;;) {
        const page = await iterator.next(1024);
        if (page.length === 0) return;
        for (const [key, value] of page) {
          const bad = decodeBad(key, value);
          this.#bad.set(nameText(bad.name), bad);
        }
      }
    } catch (error) {
      this.#noteDamage(error);
    } finally {
      await iterator.close();
    }
  }

  /** Changes that no checkpoint has yet. */
  get changeCount(): number {
    return this.#changes.size + this.#badChanges.size;
  }

  get badCount(): number {
    return this.#bad.size;
  }

  /** Throws "unavailable" while the index is being rebuilt and the answer is not certain. */
  get(name: ShardName): IndexEntry | undefined {
    const change = this.#changes.get(nameText(name));
    if (change !== undefined) return change.kind === "put" ? change.entry : undefined;
    const key = shardKey(name);
    const value = this.#kv.get(key);
    try {
      if (value !== undefined) return decodeEntry(key, value);
    } catch (error) {
      this.#noteDamage(error);
      throw rebuilding(error);
    }
    if (this.#damaged) throw rebuilding(undefined);
    return undefined;
  }

  /** A whole copy lies there: what was known to be bad of the shard is forgotten. */
  put(entry: IndexEntry): void {
    this.#changes.set(nameText(entry.shard.name), { kind: "put", entry });
    this.dropBad(entry.shard.name);
  }

  remove(name: ShardName): void {
    this.#changes.set(nameText(name), { kind: "remove", name });
    this.dropBad(name);
  }

  isBad(name: ShardName): boolean {
    return this.#bad.has(nameText(name));
  }

  /** Puts a shard on the list of bad ones; true when it was not there. */
  addBad(name: ShardName, reason: string, wallMs: number): boolean {
    const text = nameText(name);
    if (this.#bad.has(text) || this.#bad.size >= BAD_SHARDS_MAX) return false;
    this.#badCursor = Math.max(this.#badCursor + 1, Math.floor(wallMs) * CURSORS_PER_MS);
    const bad = { name, reason, cursor: this.#badCursor };
    this.#bad.set(text, bad);
    this.#badChanges.set(text, { kind: "put", bad });
    return true;
  }

  dropBad(name: ShardName): void {
    const text = nameText(name);
    if (this.#bad.delete(text)) this.#badChanges.set(text, { kind: "remove", name });
  }

  /**
   * Bad shards found after `cursor`, oldest first. A cursor that this index never gave (it was
   * rebuilt) starts over.
   */
  listBad(cursor: number, limit: number): BadShard[] {
    const after = cursor > this.#badCursor ? 0 : cursor;
    return [...this.#bad.values()]
      .filter((bad) => bad.cursor > after)
      .sort((a, b) => a.cursor - b.cursor)
      .slice(0, limit);
  }

  /** The next `count` entries after `after`, in order of their names; one instant's state. */
  async list(after: ShardName | undefined, count: number): Promise<IndexEntry[]> {
    const from = after === undefined ? SHARD_RANGE.from : shardKey(after);
    const changes = this.#changesAfter(after);
    const iterator = this.#kv.iterate({ from, to: SHARD_RANGE.to });
    try {
      return await this.#merge({ iterator, changes, after, count });
    } finally {
      await iterator.close();
    }
  }

  /**
   * Makes all changes up to now power-safe. `state` is called at the instant the changes are taken.
   * Throws "no-space" or "io"; the changes stay in memory then.
   */
  async checkpoint(state: () => CheckpointState): Promise<void> {
    await this.#writing.run(async () => {
      const changes = [...this.#changes];
      const badChanges = [...this.#badChanges];
      const { checkpoint, stats } = state();
      const operations: KvOperation[] = [
        ...changes.map(([, change]) => entryOperation(change)),
        ...badChanges.map(([, change]) => badOperation(change)),
        ...stats.map(statsOperation),
      ];
      const value = encodeCheckpoint({ ...checkpoint, badCursor: this.#badCursor });
      operations.push({ type: "put", key: CHECKPOINT_KEY, value });
      operations.push({ type: "put", key: SCRUB_KEY, value: encodeScrub(checkpoint.scrub) });
      operations.push(doubtOperation(this.#doubtMs));
      await this.#kv.write(operations, { sync: true });
      forget(this.#changes, changes);
      forget(this.#badChanges, badChanges);
    });
  }

  /**
   * Replaces the store while no checkpoint runs. `build` makes the new one from the segments;
   * `adopt` is called at the instant of the change with the changes that lie on top of it.
   */
  async replace(
    build: () => Promise<Kv>,
    adopt: (kv: Kv, changes: readonly EntryChange[]) => void,
  ): Promise<void> {
    await this.#writing.run(async () => {
      const kv = await build();
      const old = this.#kv;
      adopt(kv, [...this.#changes.values()]);
      this.#kv = kv;
      this.#damaged = false;
      for (const [text, bad] of this.#bad) this.#badChanges.set(text, { kind: "put", bad });
      await old.close();
    });
  }

  /** What `kv` says of the shard that `change` is about. */
  storedIn(kv: Kv, change: EntryChange): IndexEntry | undefined {
    const key = shardKey(change.kind === "put" ? change.entry.shard.name : change.name);
    const value = kv.get(key);
    return value === undefined ? undefined : decodeEntry(key, value);
  }

  /** Opens the store anew after a failed write (LevelDB refuses all writes from then on). */
  async reopen(open: () => Promise<Kv>): Promise<void> {
    await this.#writing.run(async () => {
      await this.#kv.close();
      this.#kv = await open();
    });
  }

  /** The files were found damaged: absence is no answer until they are rebuilt. */
  markDamaged(): void {
    this.#damaged = true;
  }

  async close(): Promise<void> {
    await this.#writing.run(() => this.#kv.close());
  }

  #noteDamage(error: unknown): void {
    if (!isStoreError(error, "corrupt")) throw error;
    this.markDamaged();
  }

  #changesAfter(after: ShardName | undefined): (readonly [string, EntryChange])[] {
    const start = after === undefined ? "" : nameText(after);
    return [...this.#changes]
      .filter(([text]) => text > start)
      .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  }

  /** Two sorted rows into one; where both name a shard, the change counts. */
  async #merge(walk: {
    readonly iterator: KvIterator;
    readonly changes: (readonly [string, EntryChange])[];
    readonly after: ShardName | undefined;
    readonly count: number;
  }): Promise<IndexEntry[]> {
    const entries: IndexEntry[] = [];
    const stored = new StoredNames(walk.iterator, walk.after);
    let at = 0;
    while (entries.length < walk.count) {
      const next = await stored.peek();
      const change = walk.changes[at];
      if (next === undefined && change === undefined) break;
      if (change !== undefined && (next === undefined || change[0] <= next.text)) {
        at += 1;
        if (next?.text === change[0]) stored.skip();
        if (change[1].kind === "put") entries.push(change[1].entry);
        continue;
      }
      const { key, value } = present(next, "stored entry");
      stored.skip();
      try {
        entries.push(decodeEntry(key, value));
      } catch (error) {
        this.#noteDamage(error);
        throw rebuilding(error);
      }
    }
    return entries;
  }
}

interface StoredName {
  readonly text: string;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

class StoredNames {
  readonly #iterator: KvIterator;
  readonly #after: Uint8Array | undefined;
  #page: (readonly [Uint8Array, Uint8Array])[] = [];
  #at = 0;
  #ended = false;

  constructor(iterator: KvIterator, after: ShardName | undefined) {
    this.#iterator = iterator;
    this.#after = after === undefined ? undefined : shardKey(after);
  }

  async peek(): Promise<StoredName | undefined> {
    for (;;) {
      if (this.#at >= this.#page.length && !this.#ended) {
        this.#page = await this.#iterator.next(256);
        this.#at = 0;
        this.#ended = this.#page.length === 0;
      }
      const entry = this.#page[this.#at];
      if (entry === undefined) return undefined;
      const [key, value] = entry;
      if (this.#after === undefined || compareBytes(key, this.#after) > 0) {
        return { text: nameText(nameInKey(key)), key, value };
      }
      this.#at += 1;
    }
  }

  skip(): void {
    this.#at += 1;
  }
}

/** Forgets changes that were written, but not those made to the same shard meanwhile. */
function forget<T>(changes: Map<string, T>, written: readonly (readonly [string, T])[]): void {
  for (const [text, change] of written) {
    if (changes.get(text) === change) changes.delete(text);
  }
}

function doubtOperation(doubtMs: number): KvOperation {
  if (doubtMs === 0) return { type: "delete", key: DOUBT_KEY };
  return { type: "put", key: DOUBT_KEY, value: encodeDoubt(doubtMs) };
}

function entryOperation(change: EntryChange): KvOperation {
  if (change.kind === "remove") return { type: "delete", key: shardKey(change.name) };
  const key = shardKey(change.entry.shard.name);
  return { type: "put", key, value: encodeEntry(key, change.entry) };
}

function badOperation(change: BadChange): KvOperation {
  if (change.kind === "remove") return { type: "delete", key: badKey(change.name) };
  const key = badKey(change.bad.name);
  return { type: "put", key, value: encodeBad(key, change.bad) };
}

function statsOperation(item: CheckpointState["stats"][number]): KvOperation {
  const key = segmentKey(item.number);
  if (item.stats === undefined) return { type: "delete", key };
  return { type: "put", key, value: encodeStats(key, item.stats) };
}

function rebuilding(cause: unknown): StoreError {
  return new StoreError("unavailable", "the disk's index is being rebuilt", { cause });
}
