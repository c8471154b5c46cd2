// The state of one replica of one group, on disk: `current` names the folder of the store in use,
// so that a restored state replaces the former one in a single rename. Every read checks its value.

import { assert } from "../../lib/base/assert.ts";
import { Mutex } from "../../lib/base/bounded.ts";
import { equalBytes } from "../../lib/base/bytes.ts";
import { isStoreError, StoreError } from "../../lib/base/errors.ts";
import { makeInnerFolder } from "../../lib/base/power-safe-folders.ts";
import type { ReplicaMark } from "../../lib/gen/dolium/record/v1/group_pb.ts";
import type { Disk } from "../../lib/ports/disk.ts";
import type { Kv, KvEntry, KvFactory, KvOperation } from "../../lib/ports/kv.ts";
import type {
  CommittedEntry,
  StateMachine,
  StatePoint,
  StateSnapshot,
} from "../../lib/raft/types.ts";
import { Applier } from "./apply.ts";
import { readAtomically, writeAtomically } from "./atomic-file.ts";
import { decodeChecked } from "./checked-value.ts";
import { Digest } from "./digest.ts";
import { FrozenView } from "./frozen-view.ts";
import { TABLE } from "./keys.ts";
import { frozenMark, markOperation, readMark } from "./replica-mark.ts";
import { readSnapshot, snapshotChunks } from "./snapshot-stream.ts";
import { recountUsage, UsageCount } from "./usage-recount.ts";

const POINTER = "current";
const RESTORE_BATCH_BYTES = 1024 * 1024;
const FOLDER_NAME = /^state-([1-9][0-9]{0,14})$/;

export interface StateDeps {
  readonly disk: Disk;
  readonly kvFactory: KvFactory;
}

/**
 * A store in use and who looks at it: short reads, which it waits for, and long ones, which it
 * ends.
 */
class Store {
  readonly number: number;
  readonly kv: Kv;
  readonly #longViews = new Set<FrozenView>();
  #reads = 0;
  #isClosing = false;
  #onIdle: (() => void) | undefined;

  constructor(number: number, kv: Kv) {
    this.number = number;
    this.kv = kv;
  }

  /** A view that may stay open for long; everything that uses it fails once the store is closed. */
  freeze(): FrozenView {
    const view = new FrozenView(this.kv.snapshot());
    this.#longViews.add(view);
    return view;
  }

  async release(view: FrozenView): Promise<void> {
    if (this.#longViews.delete(view)) await view.close();
  }

  /** Runs `work`; what it throws after the store began to close is the closing's fault. */
  async unlessClosed<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!this.#isClosing) throw error;
      throw new StoreError("unavailable", "the state was closed meanwhile", { cause: error });
    }
  }

  async read<T>(read: (view: FrozenView) => Promise<T> | T): Promise<T> {
    const view = new FrozenView(this.kv.snapshot());
    this.#reads += 1;
    try {
      return await read(view);
    } finally {
      await view.close();
      this.#reads -= 1;
      if (this.#reads === 0) this.#onIdle?.();
    }
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    for (const view of [...this.#longViews]) await this.release(view);
    if (this.#reads > 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#onIdle = resolve;
      await promise;
    }
    await this.kv.close();
  }
}

export class GroupState implements StateMachine {
  readonly #deps: StateDeps;
  readonly #folder: string;
  #store: Store;
  #applier: Applier;
  /** A restore and closing wait for each other. */
  readonly #replacing = new Mutex();
  #isClosed = false;
  #damage: StoreError | undefined;

  constructor(deps: StateDeps, folder: string, store: Store) {
    this.#deps = deps;
    this.#folder = folder;
    this.#store = store;
    this.#applier = new Applier(store.kv);
  }

  /**
   * Opens the state in `folder`, or makes an empty one. Throws "corrupt" when it must be rebuilt.
   */
  static async open(deps: StateDeps, folder: string): Promise<GroupState> {
    const { disk } = deps;
    await makeInnerFolder(disk, folder);
    const pointer = await readAtomically(disk, { folder, name: POINTER });
    const number = pointer === undefined ? 1 : numberOf(pointer);
    if (number === undefined) throw new StoreError("corrupt", "state: the pointer names no folder");
    const path = `${folder}/state-${number}`;
    if (pointer !== undefined && !(await disk.exists(path))) {
      throw new StoreError("corrupt", `state: ${path} is gone`);
    }
    await removeOthers(deps, folder, pointer === undefined ? undefined : number);
    const kv = await deps.kvFactory.open(path);
    try {
      if (pointer === undefined) await pointTo(disk, folder, number);
      await recountUsage(kv);
      return new GroupState(deps, folder, new Store(number, kv));
    } catch (error) {
      await kv.close();
      throw error;
    }
  }

  /** Removes whatever state there is. */
  static async destroy(deps: StateDeps, folder: string): Promise<void> {
    if (await deps.disk.exists(folder)) await deps.disk.removeTree(folder);
  }

  get mark(): ReplicaMark {
    return this.#applier.mark;
  }

  get appliedIndex(): number {
    return Number(this.mark.index);
  }

  get appliedTerm(): number {
    return Number(this.mark.term);
  }

  /** Set once something in this state proved to be wrong. */
  get damage(): StoreError | undefined {
    return this.#damage;
  }

  /** Folder of the store in use, for checks of its files. */
  get storePath(): string {
    return `${this.#folder}/state-${this.#store.number}`;
  }

  confState(): Uint8Array {
    return this.mark.confState;
  }

  apply(entries: readonly CommittedEntry[]): Promise<Uint8Array[]> {
    return this.#watched(() => this.#applier.apply(entries));
  }

  async flush(): Promise<number> {
    // Every batch is power-safe when it is applied.
    return this.appliedIndex;
  }

  /** Runs `read` on the state as it is now; later changes are not seen. */
  async read<T>(read: (view: FrozenView) => Promise<T> | T): Promise<T> {
    if (this.#isClosed) throw new StoreError("unavailable", "the state is closed");
    return this.#watched(() => this.#store.read(read));
  }

  async snapshot(): Promise<StateSnapshot> {
    const store = this.#store;
    const view = store.freeze();
    const { index, term, confState } = frozenMark(view);
    let isOpen = true;
    return {
      index: Number(index),
      term: Number(term),
      confState,
      chunks: () => unlessClosed(store, snapshotChunks(view)),
      close: async () => {
        if (!isOpen) return;
        isOpen = false;
        await store.release(view);
      },
    };
  }

  restore(point: StatePoint, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    return this.#replacing.run(() => this.#restore(point, chunks));
  }

  async #restore(point: StatePoint, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    if (this.#isClosed) throw new StoreError("unavailable", "the state is closed");
    const { disk, kvFactory } = this.#deps;
    const number = this.#store.number + 1;
    const path = `${this.#folder}/state-${number}`;
    if (await disk.exists(path)) await kvFactory.destroy(path);
    const kv = await kvFactory.open(path);
    try {
      const digest = await fill(kv, chunks);
      const index = BigInt(point.index);
      const marked = { ...readMark(kv), index, usageIndex: index, term: BigInt(point.term) };
      const mark = { ...marked, confState: point.confState, digest };
      await kv.write([markOperation(mark)], { sync: true });
      await pointTo(disk, this.#folder, number);
    } catch (error) {
      await kv.close();
      await kvFactory.destroy(path);
      throw error;
    }
    const former = this.#store;
    const formerPath = this.storePath;
    this.#store = new Store(number, kv);
    this.#applier = new Applier(kv);
    await former.close();
    await kvFactory.destroy(formerPath);
  }

  /**
   * Reads every value and recomputes the digest. Throws "corrupt" when a checksum is wrong or the
   * digest is not the one kept. `pace` is told the bytes read and may wait.
   */
  async audit(pace: (bytes: number) => Promise<void>): Promise<void> {
    const store = this.#store;
    const view = store.freeze();
    try {
      await this.#watched(() => store.unlessClosed(() => auditView(view, pace)));
    } finally {
      await store.release(view);
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#replacing.run(() => this.#store.close());
  }

  /** Notes it down when `work` finds bad bytes. */
  async #watched<T>(work: () => Promise<T> | T): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (isStoreError(error, "corrupt")) this.#damage ??= error;
      throw error;
    }
  }
}

async function* unlessClosed(
  store: Store,
  chunks: AsyncGenerator<Uint8Array, void>,
): AsyncGenerator<Uint8Array, void> {
  try {
    for (;;) {
      const next = await store.unlessClosed(() => chunks.next());
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    await chunks.return();
  }
}

async function auditView(view: FrozenView, pace: (bytes: number) => Promise<void>): Promise<void> {
  const kept = frozenMark(view).digest;
  const digest = new Digest();
  for await (const page of view.storedPages({ from: new Uint8Array(0) })) {
    await pace(addPage(digest, page));
  }
  const isSame = equalBytes(digest.bytes(), kept.byteLength === 0 ? EMPTY_DIGEST : kept);
  if (!isSame) throw new StoreError("corrupt", "state store: it is not what was written");
}

const EMPTY_DIGEST = new Digest().bytes();

function numberOf(pointer: string): number | undefined {
  const match = FOLDER_NAME.exec(pointer);
  return match === null ? undefined : Number(match[1]);
}

async function pointTo(disk: Disk, folder: string, number: number): Promise<void> {
  assert(Number.isSafeInteger(number) && number > 0, "state: bad folder number");
  await writeAtomically(disk, { folder, name: POINTER }, `state-${number}`);
}

/** Removes stores left by restores that did not end. */
async function removeOthers(
  deps: StateDeps,
  folder: string,
  kept: number | undefined,
): Promise<void> {
  for (const name of await deps.disk.list(folder)) {
    const number = numberOf(name);
    if (number !== undefined && number !== kept) await deps.kvFactory.destroy(`${folder}/${name}`);
  }
}

/**
 * Writes a snapshot into an empty store, each batch power-safe before the next; gives the digest.
 * What the sender did not keep, or kept wrong, of buckets' usage is put right.
 */
async function fill(kv: Kv, chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const entries = readSnapshot(chunks);
  const usage = new UsageCount();
  let operations: KvOperation[] = [];
  let bytes = 0;
  const flush = async (): Promise<void> => {
    if (operations.length > 0) await kv.write(operations, { sync: true });
    operations = [];
    bytes = 0;
  };
  for (;;) {
    const next = await entries.next();
    if (next.done === true) {
      const digest = new Digest(next.value);
      operations.push(...usage.corrections(digest));
      await flush();
      return digest.bytes();
    }
    usage.add(next.value);
    const [key, value] = next.value;
    operations.push({ type: "put", key, value });
    bytes += key.byteLength + value.byteLength;
    if (bytes >= RESTORE_BATCH_BYTES) await flush();
  }
}

/** Verifies and counts in a page of stored entries; returns its bytes. */
function addPage(digest: Digest, page: readonly KvEntry[]): number {
  let bytes = 0;
  for (const [key, stored] of page) {
    decodeChecked(key, stored);
    if (key[0] !== TABLE.local) digest.add(key, stored);
    bytes += key.byteLength + stored.byteLength;
  }
  return bytes;
}
