// Writes one chunk: its stripes to k+m disks at once, then the wait until enough of them are
// power-safe. A disk that fails or stalls is dropped from the chunk (its shard becomes owed, or is
// rebuilt elsewhere) as long as k remain.
import { assert, present } from "../base/assert.ts";
import { isStoreError, StoreError, toStoreError } from "../base/errors.ts";
import type { Clock } from "../ports/clock.ts";
import type { DiskAddress, ShardClient, ShardWrite, ShardWriteRequest } from "./shard-client.ts";
import { settledWithin } from "./within.ts";

export interface ChunkWriterDeps {
  readonly shards: ShardClient;
  readonly clock: Clock;
  /** The node did not answer as it should: choose others for a while. */
  readonly onSuspect: (disk: DiskAddress, error: StoreError) => void;
}

export interface ChunkWriteTimes {
  /** A disk that lags behind the others for so long is dropped. Milliseconds. */
  readonly stallMs: number;
  /** Once enough shards are durable, how long to wait for the rest. Milliseconds. */
  readonly graceMs: number;
  /** Bound on waiting when too few are durable to rebuild the others. Milliseconds. */
  readonly giveUpMs: number;
}

export interface ChunkWriteRequest {
  readonly chunkId: Uint8Array;
  /** Place of each of the k+m shards. */
  readonly disks: readonly DiskAddress[];
  readonly k: number;
  readonly owner: ShardWriteRequest["owner"];
  readonly shardBytes: number;
  readonly cellBytes: number;
  readonly begunMs: number;
  /** Whether these disks, durable, are enough for an acknowledgement. */
  readonly enough: (diskIds: readonly number[]) => boolean;
  readonly signal?: AbortSignal;
}

interface Lane {
  readonly disk: DiskAddress;
  readonly stream: ShardWrite;
  state: "open" | "durable" | "failed";
  failure: StoreError | undefined;
}

export class ChunkWriter {
  readonly #deps: ChunkWriterDeps;
  readonly #request: ChunkWriteRequest;
  readonly #times: ChunkWriteTimes;
  readonly #lanes: readonly Lane[];

  constructor(deps: ChunkWriterDeps, request: ChunkWriteRequest, times: ChunkWriteTimes) {
    this.#deps = deps;
    this.#request = request;
    this.#times = times;
    this.#lanes = request.disks.map((target, shardIndex) => ({
      disk: target,
      stream: deps.shards.openWrite({
        target,
        shard: { chunkId: request.chunkId, shardIndex },
        owner: request.owner,
        shardBytes: request.shardBytes,
        cellBytes: request.cellBytes,
        begunMs: request.begunMs,
        ...(request.signal === undefined ? {} : { signal: request.signal }),
      }),
      state: "open",
      failure: undefined,
    }));
  }

  /**
   * Sends one cell to each disk. Resolves true when all cells have been handed on and the caller
   * may use their memory again; false when a disk that was dropped may still read from it. Throws
   * when fewer than k disks are left.
   */
  async writeStripe(cells: readonly Uint8Array[]): Promise<boolean> {
    assert(cells.length === this.#lanes.length, "writeStripe: one cell a shard");
    const waiting = new Set<Lane>();
    let hasFailed = false;
    const writes = this.#lanes.map(async (lane, index) => {
      if (lane.state !== "open") return;
      waiting.add(lane);
      try {
        await lane.stream.write(present(cells[index], "cell"));
      } catch (thrown) {
        hasFailed = true;
        this.#fail(lane, toStoreError(thrown, "unavailable"));
      }
      waiting.delete(lane);
    });
    const all = Promise.all(writes);
    if (await settledWithin(this.#deps.clock, this.#times.stallMs, all)) {
      this.#checkAlive();
      return !hasFailed;
    }
    const others = this.#lanes.filter((lane) => lane.state === "open" && !waiting.has(lane));
    // With k others the shards of those that lag can be rebuilt elsewhere.
    if (others.length >= this.#request.k) {
      for (const lane of waiting) this.#fail(lane, new StoreError("timeout", "disk lags behind"));
    } else if (!(await settledWithin(this.#deps.clock, this.#times.giveUpMs, all))) {
      throw new StoreError("unavailable", "too many storage nodes do not take data");
    }
    this.#checkAlive();
    return waiting.size === 0 && !hasFailed;
  }

  /**
   * Ends all shards and waits: for all of them; or for enough and then a grace; or, where too few
   * places are left for that, until the others could have been rebuilt elsewhere for as long as a
   * stall; or gives up waiting. Returns for each shard whether it is durable. Never throws for a failed disk.
   */
  async finish(): Promise<readonly boolean[]> {
    const ends = this.#lanes.map(async (lane) => {
      if (lane.state !== "open") return;
      try {
        await lane.stream.finish();
        if (lane.state === "open") lane.state = "durable";
      } catch (thrown) {
        this.#fail(lane, toStoreError(thrown, "unavailable"));
      }
    });
    const all = Promise.all(ends);
    const { clock } = this.#deps;
    const { enough: isEnough, k } = this.#request;
    const enough = this.#whenDurable(ends, isEnough);
    const stalled = this.#whenDurable(ends, ({ length }) => length >= k).then(() =>
      settledWithin(clock, this.#times.stallMs, all),
    );
    await settledWithin(clock, this.#times.giveUpMs, Promise.race([all, enough, stalled]));
    await settledWithin(clock, this.#times.graceMs, all);
    for (const lane of this.#lanes) {
      if (lane.state === "open") this.#fail(lane, new StoreError("timeout", "no answer in time"));
    }
    return this.#lanes.map((lane) => lane.state === "durable");
  }

  cancel(): void {
    for (const lane of this.#lanes) lane.stream.cancel();
  }

  /** Why disks were dropped, for the error that the client gets. */
  failures(): readonly StoreError[] {
    return this.#lanes.map((lane) => lane.failure).filter((error) => error !== undefined);
  }

  /** Once the disks that are durable suffice; never where they do not. */
  #whenDurable(
    ends: readonly Promise<void>[],
    suffices: (diskIds: readonly number[]) => boolean,
  ): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    for (const end of ends) {
      end.then(() => {
        const durable = this.#lanes.filter((lane) => lane.state === "durable");
        if (suffices(durable.map((lane) => lane.disk.diskId))) resolve();
      });
    }
    return promise;
  }

  #fail(lane: Lane, error: StoreError): void {
    if (lane.state === "failed") return;
    lane.state = "failed";
    lane.failure = error;
    lane.stream.cancel();
    if (!isStoreError(error, "aborted")) this.#deps.onSuspect(lane.disk, error);
  }

  #checkAlive(): void {
    const { k, signal } = this.#request;
    if (signal?.aborted === true) throw new StoreError("aborted", "the upload was given up");
    const alive = this.#lanes.filter((lane) => lane.state === "open");
    if (alive.length >= k) return;
    const full = this.failures().some((error) => error.code === "no-space");
    throw new StoreError(
      full ? "no-space" : "unavailable",
      `only ${alive.length} of ${this.#lanes.length} disks take the chunk`,
      { cause: this.failures()[0] },
    );
  }
}
