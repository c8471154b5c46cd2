// A snapshot that arrives: its stream waits here until the core says whether it wants the state.
// One at a time per group.
import { assert } from "../base/assert.ts";
import { type Deferred, deferred } from "../base/bounded.ts";
import { StoreError } from "../base/errors.ts";
import { encodeConfState } from "./conf-state.ts";
import type { SnapshotMeta } from "./core.ts";
import type { IncomingSnapshot, StatePoint } from "./types.ts";

export class Arrival {
  readonly #snapshot: IncomingSnapshot;
  readonly #done: Deferred<void> = deferred<void>();
  #meta: SnapshotMeta | undefined;

  constructor(snapshot: IncomingSnapshot) {
    this.#snapshot = snapshot;
    // Whoever waits hears of a failure; before anybody waits it must not count as unhandled.
    this.#done.promise.catch(() => undefined);
  }

  accept(meta: SnapshotMeta): void {
    this.#meta = meta;
  }

  /** Resolves at once when the core did not want it. */
  async settled(): Promise<void> {
    if (this.#meta !== undefined) await this.#done.promise;
  }

  point(): StatePoint {
    assert(this.#meta !== undefined, "the core did not ask for this snapshot");
    const { index, term, confState } = this.#meta;
    return { index, term, confState: encodeConfState(confState) };
  }

  chunks(): AsyncIterable<Uint8Array> {
    return this.#snapshot.chunks;
  }

  succeed(): void {
    this.#done.resolve();
  }

  fail(error: StoreError): void {
    this.#done.reject(error);
  }
}

export class IncomingSnapshots {
  #current: Arrival | undefined;
  #accepted: Arrival | undefined;

  /** The one whose state is being taken over. */
  get accepted(): Arrival | undefined {
    return this.#accepted;
  }

  /** Throws "unavailable" while another one is on its way. */
  begin(snapshot: IncomingSnapshot): Arrival {
    if (this.#current !== undefined) {
      throw new StoreError("unavailable", "another snapshot is being taken over");
    }
    this.#current = new Arrival(snapshot);
    return this.#current;
  }

  /** The core wants the state that `meta` describes; without a stream nobody can deliver it. */
  accept(meta: SnapshotMeta): void {
    this.#current?.accept(meta);
    this.#accepted = this.#current;
  }

  end(arrival: Arrival): void {
    if (this.#current === arrival) this.#current = undefined;
    if (this.#accepted === arrival) this.#accepted = undefined;
  }

  fail(error: StoreError): void {
    this.#current?.fail(error);
  }
}
