// Reads stripes of one chunk in ascending order from whichever shards answer: data shards first,
// others when one is missing, wrong or slow, with reconstruction only where a wanted cell did not
// come itself. Only verified bytes leave here.
import { assert, present } from "../base/assert.ts";
import { isStoreError, StoreError, toStoreError } from "../base/errors.ts";
import type { Clock } from "../ports/clock.ts";
import type { ErasureCompute } from "../ports/compute.ts";
import type { CellTimes } from "./cell-times.ts";
import type { DiskAddress, ShardClient } from "./shard-client.ts";

export interface StripeReaderDeps {
  readonly shards: ShardClient;
  readonly erasure: ErasureCompute;
  readonly clock: Clock;
  /** Told how long first cells took, and which did not come in time. */
  readonly times?: Pick<CellTimes, "came" | "late">;
  /** Told once of each shard that could not be read, with the reason. */
  readonly onBadShard: (shardIndex: number, disk: DiskAddress, error: StoreError) => void;
  /** Told once when cells had to be computed from others. */
  readonly onReconstructed?: () => void;
}

export interface StripeReaderRequest {
  readonly chunkId: Uint8Array;
  readonly k: number;
  readonly m: number;
  /** k+m places; undefined where a shard is owed or its disk unknown. */
  readonly disks: readonly (DiskAddress | undefined)[];
  /** Disks worth asking first (their nodes are thought to be up). */
  readonly preferred: (disk: DiskAddress) => boolean;
  /** Disks of the own campus: where k of them can be read, no other is asked. */
  readonly isNear?: (disk: DiskAddress) => boolean;
  /** Stripes [0, stripeCount) exist; reading goes no further than this. */
  readonly endStripe: number;
  /** Milliseconds before a cell that has not come is read around. */
  readonly hedgeMs: number;
  readonly signal?: AbortSignal;
}

/** What shards of one chunk may have on the way at once in an answer each, all together. */
const RUN_BYTES_MAX = 1024 * 1024;

type OpenShard = (firstCell: number, signal: AbortSignal) => AsyncIterable<readonly Uint8Array[]>;

/** The stream of one shard's cells, consumed in order; cells that nobody wants are skipped. */
class Lane {
  readonly shardIndex: number;
  readonly disk: DiskAddress;
  slow = false;
  failure: StoreError | undefined;
  readonly #open: OpenShard;
  readonly #abort = new AbortController();
  #runs: AsyncIterator<readonly Uint8Array[]> | undefined;
  /** The cells that arrived together last, the first of them for stripe `#firstHeld`. */
  #held: readonly Uint8Array[] = [];
  #firstHeld = 0;
  #openedAt = 0;
  #waiting = 0;
  #isAsked = false;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(shardIndex: number, disk: DiskAddress, open: OpenShard) {
    this.shardIndex = shardIndex;
    this.disk = disk;
    this.#open = open;
  }

  /** The cell of `stripe`; calls must name ascending stripes. */
  cellAt(stripe: number): Promise<Uint8Array> {
    this.#waiting += 1;
    this.#isAsked = true;
    const cell = this.#tail.then(() => this.#advance(stripe));
    this.#tail = cell.then(this.#isOver, this.#isOver);
    return cell;
  }

  /** The cell of `stripe` where it came already and nobody waits for an earlier one. */
  heldAt(stripe: number): Uint8Array | undefined {
    return this.#waiting === 0 ? this.#held[stripe - this.#firstHeld] : undefined;
  }

  /** It was asked for a cell before. */
  get isAsked(): boolean {
    return this.#isAsked;
  }

  close(): void {
    this.#abort.abort();
  }

  readonly #isOver = (): void => {
    this.#waiting -= 1;
  };

  async #advance(stripe: number): Promise<Uint8Array> {
    for (;;) {
      if (this.failure !== undefined) throw this.failure;
      try {
        return await this.#readUpTo(stripe);
      } catch (thrown) {
        const error = toStoreError(thrown, "unavailable");
        // A stream that moved and then ran out of time (a slow reader downstream) is opened again.
        const hasMoved = this.#firstHeld + this.#held.length > this.#openedAt;
        const again = isStoreError(error, "timeout") && hasMoved;
        this.#runs = undefined;
        this.#held = [];
        if (!again) this.failure = error;
      }
    }
  }

  async #readUpTo(stripe: number): Promise<Uint8Array> {
    if (this.#runs === undefined) {
      this.#held = [];
      this.#firstHeld = stripe;
      this.#openedAt = stripe;
      this.#runs = this.#open(stripe, this.#abort.signal)[Symbol.asyncIterator]();
    }
    for (;;) {
      const cell = this.#held[stripe - this.#firstHeld];
      if (cell !== undefined) return cell;
      const result = await this.#runs.next();
      if (result.done === true) throw new StoreError("corrupt", "shard ended before its last cell");
      this.#firstHeld += this.#held.length;
      this.#held = result.value;
    }
  }
}

interface Gathering {
  readonly stripe: number;
  readonly known: (Uint8Array | undefined)[];
  readonly pending: Map<number, Promise<void>>;
  readonly asked: Set<number>;
  /** Had not come when the time of a hedge had passed. */
  readonly late: Set<number>;
}

export class StripeReader {
  readonly #deps: StripeReaderDeps;
  readonly #request: StripeReaderRequest;
  readonly #lanes: (Lane | undefined)[];
  readonly #reported = new Set<number>();
  #isReconstructing = false;

  constructor(deps: StripeReaderDeps, request: StripeReaderRequest) {
    assert(request.disks.length === request.k + request.m, "StripeReader: disks of all shards");
    this.#deps = deps;
    this.#request = request;
    this.#lanes = request.disks.map((disk, index) => this.#lane(index, disk));
    this.#stayNear();
    request.signal?.addEventListener("abort", () => this.close(), { once: true });
  }

  /**
   * Cells of the wanted shards of one stripe, in the order of `wanted`. Throws "corrupt" or
   * "unavailable" when fewer than k shards can be read.
   */
  async read(stripe: number, wanted: readonly number[]): Promise<Uint8Array[]> {
    const width = this.#request.k + this.#request.m;
    const gathering: Gathering = {
      stripe,
      known: new Array<Uint8Array | undefined>(width).fill(undefined),
      pending: new Map(),
      asked: new Set(),
      late: new Set(),
    };
    for (const index of wanted) {
      const lane = this.#lanes[index];
      if (this.#usable(lane) && !lane.slow) this.#ask(gathering, lane);
    }
    await this.#gather(gathering, wanted);
    this.#tellLate(gathering);
    return this.#complete(gathering.known, wanted);
  }

  /**
   * As `read`, where all that is needed came already, and undefined where it did not: then `read`
   * waits for it.
   */
  readHeld(stripe: number, wanted: readonly number[]): Uint8Array[] | undefined {
    const { k, m, signal } = this.#request;
    if (signal?.aborted === true) return undefined;
    const known = new Array<Uint8Array | undefined>(k + m).fill(undefined);
    let knownCount = 0;
    const take = (lane: Lane): void => {
      known[lane.shardIndex] = lane.heldAt(stripe);
      if (known[lane.shardIndex] !== undefined) knownCount += 1;
    };
    let readable = 0;
    for (const index of wanted) {
      const lane = this.#lanes[index];
      if (!this.#usable(lane) || lane.slow) continue;
      readable += 1;
      take(lane);
    }
    if (knownCount < readable) return undefined;
    if (knownCount === wanted.length) return this.#complete(known, wanted);
    for (const lane of this.#lanes) {
      const isNew = this.#usable(lane) && !lane.slow && known[lane.shardIndex] === undefined;
      if (isNew && knownCount < k) take(lane);
    }
    return knownCount === k ? this.#complete(known, wanted) : undefined;
  }

  close(): void {
    for (const lane of this.#lanes) lane?.close();
  }

  /** Until every wanted cell, or any k cells, are known. */
  async #gather(gathering: Gathering, wanted: readonly number[]): Promise<void> {
    const { k, hedgeMs, signal } = this.#request;
    let hedged = false;
    for (;;) {
      if (signal?.aborted === true) throw new StoreError("aborted", "reading was given up");
      if (wanted.every((index) => gathering.known[index] !== undefined)) return;
      const knownCount = gathering.known.filter((cell) => cell !== undefined).length;
      if (knownCount >= k) return;
      const blocked = wanted.some(
        (index) => gathering.known[index] === undefined && !gathering.pending.has(index),
      );
      const wantedCount = hedged ? k + this.#slowPending(gathering) : k;
      if (blocked || hedged) this.#askMore(gathering, wantedCount - knownCount);
      if (gathering.pending.size === 0) throw this.#tooFew(gathering, knownCount);
      hedged = await this.#waitForOne(gathering, hedged ? hedgeMs * 4 : hedgeMs, hedged);
    }
  }

  /** Waits for a cell; true once the time of a hedge has passed. Slow lanes are marked. */
  async #waitForOne(gathering: Gathering, ms: number, hedged: boolean): Promise<boolean> {
    const { promise: passed, resolve } = Promise.withResolvers<boolean>();
    const timer = this.#deps.clock.after(ms, () => resolve(true));
    const first = Promise.race([...gathering.pending.values()]).then(() => false);
    const late = await Promise.race([first, passed]);
    timer.cancel();
    if (!late) return hedged;
    for (const index of gathering.pending.keys()) {
      present(this.#lanes[index], "lane").slow = true;
      gathering.late.add(index);
    }
    return true;
  }

  /** Those without which the others were enough; where all are late it is none of the disks. */
  #tellLate({ late, pending }: Gathering): void {
    for (const index of late) {
      if (!pending.has(index)) continue;
      this.#deps.times?.late(present(this.#lanes[index], "lane").disk.diskId);
    }
  }

  #slowPending(gathering: Gathering): number {
    return [...gathering.pending.keys()].filter((index) => this.#lanes[index]?.slow === true)
      .length;
  }

  /** Asks further shards until `count` are pending: fast and preferred ones first, parity last. */
  #askMore(gathering: Gathering, count: number): void {
    const { preferred, isNear = nowhere } = this.#request;
    const rank = (lane: Lane): number =>
      (lane.slow ? 4 : 0) + (preferred(lane.disk) ? 0 : 2) + (isNear(lane.disk) ? 0 : 1);
    const candidates = this.#lanes
      .filter((lane) => this.#usable(lane))
      .filter((lane) => !gathering.asked.has(lane.shardIndex))
      .sort((a, b) => rank(a) - rank(b) || a.shardIndex - b.shardIndex);
    for (const lane of candidates) {
      if (gathering.pending.size >= count) return;
      this.#ask(gathering, lane);
    }
  }

  #ask(gathering: Gathering, lane: Lane): void {
    const { shardIndex } = lane;
    gathering.asked.add(shardIndex);
    const { clock, times } = this.#deps;
    const isFirst = !lane.isAsked;
    const askedMs = clock.monotonicMs();
    const arrival = lane.cellAt(gathering.stripe).then(
      (cell) => {
        if (isFirst) times?.came(lane.disk.diskId, clock.monotonicMs() - askedMs);
        gathering.known[shardIndex] = cell;
        gathering.pending.delete(shardIndex);
      },
      (thrown: unknown) => {
        gathering.pending.delete(shardIndex);
        this.#report(lane, toStoreError(thrown));
      },
    );
    gathering.pending.set(shardIndex, arrival);
  }

  #report(lane: Lane, error: StoreError): void {
    if (this.#reported.has(lane.shardIndex) || isStoreError(error, "aborted")) return;
    this.#reported.add(lane.shardIndex);
    this.#deps.onBadShard(lane.shardIndex, lane.disk, error);
  }

  #complete(known: (Uint8Array | undefined)[], wanted: readonly number[]): Uint8Array[] {
    const missing = wanted.filter((index) => known[index] === undefined);
    if (missing.length > 0) {
      const { k, m } = this.#request;
      if (!this.#isReconstructing) this.#deps.onReconstructed?.();
      this.#isReconstructing = true;
      const rebuilt = this.#deps.erasure.reconstruct(known, { k, m }, missing);
      missing.forEach((index, at) => {
        known[index] = present(rebuilt[at], "rebuilt cell");
      });
    }
    return wanted.map((index) => present(known[index], "wanted cell"));
  }

  #tooFew(gathering: Gathering, knownCount: number): StoreError {
    const failures = this.#lanes
      .map((lane) => lane?.failure)
      .filter((error) => error !== undefined);
    const gone = failures.every((error) => error.code === "corrupt" || error.code === "not-found");
    const away = this.#request.disks.some((disk) => disk === undefined);
    const code = gone && !away && failures.length > 0 ? "corrupt" : "unavailable";
    const why = failures.map((error) => error.message).join("; ");
    return new StoreError(
      code,
      `stripe ${gathering.stripe}: ${knownCount} of ${this.#request.k} needed shards readable: ${why}`,
    );
  }

  /** Shards of other campuses come last where those of the own one are enough. */
  #stayNear(): void {
    const { k, isNear = nowhere } = this.#request;
    const near = this.#lanes.filter(
      (lane) => this.#usable(lane) && !lane.slow && isNear(lane.disk),
    );
    if (near.length < k) return;
    for (const lane of this.#lanes) {
      if (this.#usable(lane) && !isNear(lane.disk)) lane.slow = true;
    }
  }

  #usable(lane: Lane | undefined): lane is Lane {
    return lane !== undefined && lane.failure === undefined;
  }

  #lane(shardIndex: number, disk: DiskAddress | undefined): Lane | undefined {
    if (disk === undefined) return undefined;
    const { chunkId, endStripe, k } = this.#request;
    const shard = { chunkId, shardIndex };
    const runBytes = Math.floor(RUN_BYTES_MAX / k);
    const lane = new Lane(shardIndex, disk, (firstCell, signal) =>
      this.#deps.shards.readCells(disk, shard, {
        firstCell,
        cellCount: endStripe - firstCell,
        runBytes,
        signal,
      }),
    );
    lane.slow = !this.#request.preferred(disk);
    return lane;
  }
}

function nowhere(): boolean {
  return false;
}
