// Writes one chunk: its stripes to k+m disks at once, then the wait until enough of them are
// power-safe. A disk that fails or stalls is dropped from the chunk (its shard becomes owed, or is
// rebuilt elsewhere) as long as enough remain or others can take its place.
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
  /** Bound on waiting when too few are durable and nobody can take the others' place. */
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
  /** Whether others could take the shards that are not on these disks, and would be enough. */
  readonly replaceable: (diskIds: readonly number[]) => boolean;
  readonly signal?: AbortSignal;
}

interface Lane {
  readonly disk: DiskAddress;
  readonly stream: ShardWrite;
  state: "open" | "durable" | "failed";
  failure: StoreError | undefined;
}

const LOOK_MS = 100;

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
    const others = () => this.#lanes.filter((lane) => lane.state === "open" && !waiting.has(lane));
    if (!(await this.#untilSpared(all, others))) {
      throw new StoreError("unavailable", "too many storage nodes do not take data");
    }
    for (const lane of waiting) this.#fail(lane, new StoreError("timeout", "disk lags behind"));
    this.#checkAlive();
    return waiting.size === 0 && !hasFailed;
  }

  /**
   * Ends all shards and waits: for all of them; or for enough and then a grace; or for as long as a
   * stall where others can take the place of those that lag; or gives up waiting. Returns for each
   * shard whether it is durable. Never throws for a failed disk.
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
    const durable = () => this.#lanes.filter((lane) => lane.state === "durable");
    const spared = this.#whenDurable(ends, ({ length }) => length >= k)
      .then(() => settledWithin(clock, this.#times.stallMs, all))
      .then(() => this.#untilSpared(all, durable));
    await settledWithin(clock, this.#times.giveUpMs, Promise.race([all, enough, spared]));
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

  /** True once all ended, or can do without those that are not among `done`. */
  async #untilSpared(all: Promise<unknown>, done: () => readonly Lane[]): Promise<boolean> {
    const { clock } = this.#deps;
    const { k, enough, replaceable } = this.#request;
    const endsAt = clock.monotonicMs() + this.#times.giveUpMs;
    for (;;) {
      const diskIds = done().map((lane) => lane.disk.diskId);
      // The map may change meanwhile, and say that who lags is gone.
      if (diskIds.length >= k && (enough(diskIds) || replaceable(diskIds))) return true;
      const leftMs = endsAt - clock.monotonicMs();
      if (leftMs <= 0) return false;
      if (await settledWithin(clock, Math.min(LOOK_MS, leftMs), all)) return true;
    }
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
