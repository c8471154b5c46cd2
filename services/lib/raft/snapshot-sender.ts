// Snapshots of one group going out. Holds at most one frozen state, makes a fresh one when the core
// asks for a newer point or the membership changed, streams it to followers, and always reports how
// that ended: a stream that stalls is cut, so that no follower waits for ever.
import type { Semaphore } from "../base/bounded.ts";
import { StoreError } from "../base/errors.ts";
import type { OutgoingMessage, RaftId, SnapshotRequest } from "./core.ts";
import type { RaftSender, StateSnapshot } from "./types.ts";

interface Held {
  readonly snapshot: StateSnapshot;
  users: number;
  /** Replaced or outdated: closed with its last user. */
  stale: boolean;
  lastUsedMs: number;
}

interface Stream {
  readonly controller: AbortController;
  lastProgressMs: number;
}

/** Streams of all groups of a node at once. */
export const SNAPSHOT_STREAMS_MAX = 4;
/** A frozen state that nobody asked for is let go. */
const UNUSED_MS_MAX = 60_000;

export interface SnapshotSenderDeps {
  readonly groupId: number;
  readonly sender: RaftSender;
  /** Shared by all groups of the node, SNAPSHOT_STREAMS_MAX units. */
  readonly streams: Semaphore;
  /** A stream that takes no chunk and gives no answer for this long is cut. */
  readonly idleMs: number;
  readonly nowMs: () => number;
  /** Freezes the state between two batches of entries. */
  readonly freeze: () => Promise<StateSnapshot>;
  /** Offers a point to the core, or withdraws the last (undefined). */
  readonly offer: (snapshot: StateSnapshot | undefined) => void;
  readonly report: (to: RaftId, delivered: boolean) => void;
  readonly failed: (error: unknown) => void;
  readonly observe: (seconds: number, delivered: boolean) => void;
}

export class SnapshotSender {
  readonly #deps: SnapshotSenderDeps;
  readonly #streams = new Set<Stream>();
  #held: Held | undefined;
  #wantedIndex = -1;
  #making = false;
  #closed = false;

  constructor(deps: SnapshotSenderDeps) {
    this.#deps = deps;
  }

  /** The log must not be cut above this while it is set. */
  get heldIndex(): number | undefined {
    return this.#held?.snapshot.index;
  }

  request({ minIndex }: SnapshotRequest): void {
    this.#wantedIndex = Math.max(this.#wantedIndex, minIndex);
    this.#make();
  }

  /** Entries were applied: a wanted point may be within reach. */
  advanced(appliedIndex: number): void {
    if (this.#wantedIndex >= 0 && appliedIndex >= this.#wantedIndex) this.#make();
  }

  /** A snapshot from before a change of membership would not know its receiver. */
  membersChanged(): void {
    if (this.#held === undefined) return;
    this.#letGo();
    this.#deps.offer(undefined);
  }

  /** Streams the held state to `message.to`, then reports. */
  send(message: OutgoingMessage): void {
    void this.#stream(message).then(
      (delivered) => {
        if (!this.#closed) this.#deps.report(message.to, delivered);
      },
      (error: unknown) => this.#deps.failed(error),
    );
  }

  /** Cuts streams without progress and frees what nobody uses. */
  expire(): void {
    const nowMs = this.#deps.nowMs();
    for (const stream of this.#streams) {
      if (nowMs - stream.lastProgressMs >= this.#deps.idleMs) {
        stream.controller.abort(new StoreError("timeout", "the snapshot makes no progress"));
      }
    }
    const held = this.#held;
    if (held !== undefined && held.users === 0 && nowMs - held.lastUsedMs >= UNUSED_MS_MAX) {
      this.membersChanged();
    }
  }

  close(): void {
    this.#closed = true;
    for (const stream of this.#streams) {
      stream.controller.abort(new StoreError("aborted", "the replica stopped"));
    }
    this.#letGo();
  }

  #make(): void {
    if (this.#making || this.#closed) return;
    const held = this.#held;
    if (held !== undefined && held.snapshot.index >= this.#wantedIndex) {
      this.#wantedIndex = -1;
      this.#deps.offer(held.snapshot);
      return;
    }
    this.#making = true;
    const wanted = this.#wantedIndex;
    this.#deps.freeze().then(
      (snapshot) => this.#made(snapshot, wanted),
      (error: unknown) => this.#deps.failed(error),
    );
  }

  #made(snapshot: StateSnapshot, wanted: number): void {
    this.#making = false;
    this.#letGo();
    this.#held = { snapshot, users: 0, stale: false, lastUsedMs: this.#deps.nowMs() };
    if (this.#closed) {
      this.#letGo();
      return;
    }
    if (snapshot.index >= wanted) this.#wantedIndex = -1;
    this.#deps.offer(snapshot);
  }

  #letGo(): void {
    const held = this.#held;
    if (held === undefined) return;
    this.#held = undefined;
    held.stale = true;
    this.#closeUnused(held);
  }

  #closeUnused(held: Held): void {
    if (!held.stale || held.users > 0) return;
    held.snapshot.close().catch((error: unknown) => this.#deps.failed(error));
  }

  async #stream(message: OutgoingMessage): Promise<boolean> {
    const held = this.#held;
    if (held === undefined || held.snapshot.index !== message.snapshot?.index) return false;
    if (!this.#deps.streams.tryAcquire(1)) return false;
    const startedMs = this.#deps.nowMs();
    const stream: Stream = { controller: new AbortController(), lastProgressMs: startedMs };
    this.#streams.add(stream);
    held.users += 1;
    let delivered = false;
    try {
      await this.#transfer(message, held.snapshot, stream);
      delivered = true;
    } catch {
      // Whatever went wrong on the way, the core hears "not delivered" and tries again.
      delivered = false;
    } finally {
      const nowMs = this.#deps.nowMs();
      this.#deps.observe((nowMs - startedMs) / 1000, delivered);
      held.lastUsedMs = nowMs;
      held.users -= 1;
      this.#closeUnused(held);
      this.#streams.delete(stream);
      this.#deps.streams.release(1);
    }
    return delivered;
  }

  /** Ends at the latest when the stream is cut, even if the sender does not notice. */
  async #transfer(
    message: OutgoingMessage,
    snapshot: StateSnapshot,
    stream: Stream,
  ): Promise<void> {
    const { signal } = stream.controller;
    const cut = Promise.withResolvers<never>();
    signal.addEventListener("abort", () => cut.reject(signal.reason), { once: true });
    const nowMs = this.#deps.nowMs;
    async function* watched(): AsyncIterable<Uint8Array> {
      for await (const chunk of snapshot.chunks()) {
        stream.lastProgressMs = nowMs();
        yield chunk;
      }
      stream.lastProgressMs = nowMs();
    }
    const { groupId, sender } = this.#deps;
    const { index, term, confState } = snapshot;
    const sent = sender.sendSnapshot(message.to, {
      groupId,
      message: message.bytes,
      point: { index, term, confState },
      chunks: watched(),
      signal,
    });
    await Promise.race([sent, cut.promise]);
  }
}
