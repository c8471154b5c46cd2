// Drives one group's state machine: one call at a time, committed entries in order and in batches,
// each membership change told to the core before the batch that stores it. Knows how far the state
// is.
import { assert, present } from "../base/assert.ts";
import { Mutex } from "../base/bounded.ts";
import { isStoreError, StoreError } from "../base/errors.ts";
import { encodeConfState } from "./conf-state.ts";
import type { AppliedMembers, RaftEntry } from "./core.ts";
import type { CommittedEntry, StateMachine, StatePoint, StateSnapshot } from "./types.ts";

const BATCH_COUNT_MAX = 1024;
const BATCH_BYTES_MAX = 4 * 1024 * 1024;

export interface StateDriverDeps {
  readonly machine: StateMachine;
  /** Lets a change of membership take effect in the core; throws "invalid" when it does not fit. */
  readonly applyMembers: (data: Uint8Array) => AppliedMembers;
  readonly membersApplied: (members: AppliedMembers) => void;
  /** Called after each batch with the entries and their replies. */
  readonly applied: (results: readonly AppliedEntry[]) => void;
  readonly failed: (error: unknown) => void;
}

export interface AppliedEntry {
  readonly index: number;
  readonly term: number;
  readonly reply: Uint8Array | StoreError;
}

interface Batch {
  readonly entries: CommittedEntry[];
  readonly members: AppliedMembers[];
  readonly refused: Map<number, StoreError>;
}

export class StateDriver {
  readonly #deps: StateDriverDeps;
  readonly #turns = new Mutex();
  #queue: RaftEntry[] = [];
  #running = false;
  #closed = false;

  constructor(deps: StateDriverDeps) {
    this.#deps = deps;
  }

  get appliedIndex(): number {
    return this.#deps.machine.appliedIndex;
  }

  /** Entries handed over and not applied yet. */
  get queued(): number {
    return this.#queue.length;
  }

  push(entries: readonly RaftEntry[]): void {
    for (const entry of entries) this.#queue.push(entry);
    if (this.#running || this.#queue.length === 0) return;
    this.#running = true;
    this.#drain().catch((error: unknown) => this.#fail(error));
  }

  freeze(): Promise<StateSnapshot> {
    return this.#turn(() => this.#deps.machine.snapshot());
  }

  flush(): Promise<number> {
    return this.#turn(() => this.#deps.machine.flush());
  }

  /** Replaces the state once all entries handed over before are applied. */
  restore(point: StatePoint, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    return this.#turn(async () => {
      while (this.#queue.length > 0 && !this.#closed) await this.#applyNext();
      await this.#deps.machine.restore(point, chunks);
      assert(
        this.#deps.machine.appliedIndex === point.index,
        "the state is not where it should be",
      );
    });
  }

  /** Resolves once nothing runs in the state machine. */
  async idle(): Promise<void> {
    await this.#turns.run(() => Promise.resolve());
  }

  /** Starts nothing more; what runs may end. */
  close(): void {
    this.#closed = true;
    this.#queue = [];
  }

  #turn<T>(work: () => Promise<T>): Promise<T> {
    return this.#turns.run(() => {
      if (this.#closed) return Promise.reject(new StoreError("unavailable", "the replica stopped"));
      return work();
    });
  }

  /** One batch a turn, so that others get theirs under steady load. */
  async #drain(): Promise<void> {
    while (this.#queue.length > 0 && !this.#closed) {
      await this.#turns.run(() => this.#applyNext());
    }
    this.#running = false;
  }

  async #applyNext(): Promise<void> {
    if (this.#queue.length === 0 || this.#closed) return;
    const batch = this.#nextBatch();
    const replies = await this.#deps.machine.apply(batch.entries);
    // A membership that a power cut could take back would ask for votes of nodes that are gone.
    if (batch.members.length > 0) await this.#deps.machine.flush();
    if (this.#closed) return;
    assert(replies.length === batch.entries.length, "the state machine left replies out");
    for (const members of batch.members) this.#deps.membersApplied(members);
    this.#deps.applied(
      batch.entries.map(({ index, term }, at) => ({
        index,
        term,
        reply: batch.refused.get(index) ?? present(replies[at], "reply"),
      })),
    );
  }

  #nextBatch(): Batch {
    const batch: Batch = { entries: [], members: [], refused: new Map() };
    let next = this.#deps.machine.appliedIndex + 1;
    let bytes = 0;
    for (const entry of this.#queue) {
      assert(entry.index === next, `entry ${entry.index} to apply where ${next} is due`);
      bytes += entry.data.byteLength;
      const count = batch.entries.length;
      if (count > 0 && (bytes > BATCH_BYTES_MAX || count >= BATCH_COUNT_MAX)) break;
      batch.entries.push(entry.kind === "members" ? this.#members(entry, batch) : entry);
      next += 1;
    }
    this.#queue.splice(0, batch.entries.length);
    return batch;
  }

  #members(entry: RaftEntry, batch: Batch): CommittedEntry {
    try {
      const applied = this.#deps.applyMembers(entry.data);
      batch.members.push(applied);
      return { ...entry, confState: encodeConfState(applied.confState) };
    } catch (error) {
      if (!isStoreError(error, "invalid")) throw error;
      batch.refused.set(entry.index, new StoreError("conflict", error.message, { cause: error }));
      return entry;
    }
  }

  #fail(error: unknown): void {
    this.close();
    this.#deps.failed(error);
  }
}
