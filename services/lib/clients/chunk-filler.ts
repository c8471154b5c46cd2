// Sees to it that a chunk has enough shards to be acknowledged by the committed map, which alone
// says how many that is. Where this process reaches fewer nodes than the map counts on (one just
// ended, and its silence is not noticed yet), it waits: for a map without them, or until they
// answer again. So a write is late when a node goes, and does not fail.
import { present } from "../base/assert.ts";
import { StoreError } from "../base/errors.ts";
import type { Chunk, Manifest } from "../gen/dolium/record/v1/object_pb.ts";
import type { Clock } from "../ports/clock.ts";
import type { ErasureCompute } from "../ports/compute.ts";
import { rebuildShards } from "./chunk-rebuild.ts";
import type { ClusterView, Placement, ReplacementWish } from "./cluster-view.ts";
import type { DiskAddress, ShardClient } from "./shard-client.ts";

export interface ChunkFillerDeps {
  readonly view: ClusterView;
  readonly shards: ShardClient;
  readonly erasure: ErasureCompute;
  readonly clock: Clock;
}

/** Disks of a chunk whose shard did not become durable, and why. */
export interface FailedPlaces {
  readonly diskIds: readonly number[];
  readonly why: readonly StoreError[];
}

/** What a chunk belongs to. */
export interface FillRequest {
  readonly bucketId: number;
  readonly policy: string;
  readonly manifest: Manifest;
  readonly begunMs: number;
  readonly failed: FailedPlaces;
  readonly signal: AbortSignal;
}

const POLL_MS = 100;
/** A disk that failed is tried again after so long. */
const AVOID_MS = 1000;

export class ChunkFiller {
  readonly #deps: ChunkFillerDeps;
  readonly #waitMs: number;

  /** `waitMs` bounds each wait for another map. */
  constructor(deps: ChunkFillerDeps, waitMs: number) {
    this.#deps = deps;
    this.#waitMs = waitMs;
  }

  /**
   * Places for a new chunk that will do once they are all durable. Throws "unavailable",
   * "no-space", and "aborted" by the signal.
   */
  async place(policy: string, chunkId: Uint8Array, signal: AbortSignal): Promise<Placement> {
    const { view, clock } = this.#deps;
    const endsAt = clock.monotonicMs() + this.#waitMs;
    for (;;) {
      const placement = view.place(policy, chunkId);
      const diskIds = placement.disks.map((disk) => disk.diskId);
      if (view.enough(policy, diskIds)) return placement;
      if (clock.monotonicMs() >= endsAt) {
        throw new StoreError("unavailable", "too few storage nodes are within reach");
      }
      await clock.sleep(POLL_MS, signal);
    }
  }

  /**
   * Returns once the shards of `record` are enough, if need be with some rebuilt on other disks,
   * which it enters there. Throws "unavailable", "no-space", and "aborted" by the signal.
   */
  async fill(record: Chunk, request: FillRequest): Promise<void> {
    const { clock, view } = this.#deps;
    const { policy, manifest, failed, signal } = request;
    const endsAt = clock.monotonicMs() + this.#waitMs;
    let avoided = new Set(failed.diskIds);
    let avoidedUntil = clock.monotonicMs() + AVOID_MS;
    while (!view.enough(policy, heldBy(record))) {
      const targets = this.#targets(record, request, avoided);
      if (targets.length > 0) {
        await this.#rebuild(record, request, targets);
        for (const { diskId } of targets) if (!record.diskIds.includes(diskId)) avoided.add(diskId);
        continue;
      }
      const isShort = heldBy(record).length < manifest.dataShards;
      if (isShort || clock.monotonicMs() >= endsAt) throw notEnough(record, failed.why);
      await clock.sleep(POLL_MS, signal);
      if (clock.monotonicMs() < avoidedUntil) continue;
      avoided = new Set();
      avoidedUntil = clock.monotonicMs() + AVOID_MS;
    }
  }

  /** Disks for the missing shards, if with them there will be enough; else none. */
  #targets(
    { chunkId, diskIds }: Chunk,
    { policy, manifest }: FillRequest,
    avoided: ReadonlySet<number>,
  ): readonly DiskAddress[] {
    const { view } = this.#deps;
    const held = heldBy({ diskIds });
    if (held.length < manifest.dataShards) return [];
    const count = diskIds.length - held.length;
    return enoughPlaces(view, policy, { chunkId, held, count, avoided: [...avoided] }) ?? [];
  }

  /** Those that do not become durable stay missing. */
  async #rebuild(
    record: Chunk,
    { bucketId, manifest, begunMs, signal }: FillRequest,
    targets: readonly DiskAddress[],
  ): Promise<void> {
    const missing = record.diskIds.flatMap((diskId, index) => (diskId === 0 ? [index] : []));
    const rebuilt = await rebuildShards(this.#deps, {
      ...{ bucketId, manifest, begunMs, signal },
      chunk: record,
      sources: record.diskIds.map((diskId) => this.#deps.view.addressOf(diskId)),
      wanted: targets.map((target, at) => ({
        shardIndex: present(missing[at], "missing shard"),
        target,
      })),
    });
    for (const shardIndex of rebuilt) {
      const target = present(targets[missing.indexOf(shardIndex)], "target");
      record.diskIds[shardIndex] = target.diskId;
      record.relaxed = true;
    }
  }
}

/** Other disks for a chunk's missing shards; undefined where not even they would be enough. */
export function enoughPlaces(
  view: ClusterView,
  policy: string,
  wish: ReplacementWish,
): readonly DiskAddress[] | undefined {
  const places = view.replacements(policy, wish);
  const diskIds = [...wish.held, ...places.map(({ diskId }) => diskId)];
  return view.enough(policy, diskIds) ? places : undefined;
}

function heldBy(record: Pick<Chunk, "diskIds">): number[] {
  return record.diskIds.filter((diskId) => diskId !== 0);
}

function notEnough(record: Chunk, why: readonly StoreError[]): StoreError {
  const held = heldBy(record).length;
  const full = why.some((error) => error.code === "no-space");
  return new StoreError(
    full ? "no-space" : "unavailable",
    `only ${held} of ${record.diskIds.length} shards of a chunk became durable`,
    { cause: why[0] },
  );
}
