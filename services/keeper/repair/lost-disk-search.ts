// Finds the chunks that have a shard on a disk that is gone (failed, replaced, of a node that is
// out) and queues them for repair. A set of lost disks is searched at once and twice again later:
// an upload that was under way when the disk went may commit after the first search. Nodes that are
// being emptied are not lost: rebalancing moves what they have.
import type { KeeperDeps } from "../deps.ts";
import { type DamageEntry, enqueue } from "./enqueue.ts";

const PAGE = 500;
/** Milliseconds after the first search of a set at which it is searched again. */
const AGAIN_AFTER_MS = [60_000, 600_000];

interface Searched {
  readonly disks: readonly number[];
  readonly since: number;
  rounds: number;
}

export class LostDiskSearch {
  readonly #deps: KeeperDeps;
  readonly #searched = new Map<number, Searched>();

  constructor(deps: KeeperDeps) {
    this.#deps = deps;
  }

  /** Searches a group when that is due; returns how many chunks were queued. */
  async round(groupId: number, signal: AbortSignal): Promise<number> {
    const disks = lostDisks(this.#deps).sort((a, b) => a - b);
    const now = this.#deps.clock.monotonicMs();
    const former = this.#searched.get(groupId);
    const same = former !== undefined && former.disks.join() === disks.join();
    if (same && !isDue(former, now)) return 0;
    const queued =
      disks.length === 0 ? 0 : await queueChunksOn(this.#deps, { groupId, diskIds: disks, signal });
    if (signal.aborted) return queued;
    if (same) former.rounds += 1;
    else this.#searched.set(groupId, { disks, since: now, rounds: 1 });
    if (queued > 0) this.#deps.log.info("chunks queued for repair", { groupId, disks, queued });
    return queued;
  }

  /** All groups are searched anew at their next round. */
  restart(): void {
    this.#searched.clear();
  }

  /** By group: the lost disks whose chunks are all queued or repaired. */
  searchedDisks(): Readonly<Record<string, readonly number[]>> {
    return Object.fromEntries([...this.#searched].map(([groupId, { disks }]) => [groupId, disks]));
  }
}

function isDue(searched: Searched, now: number): boolean {
  const after = AGAIN_AFTER_MS[searched.rounds - 1];
  return searched.disks.length > 0 && after !== undefined && now - searched.since >= after;
}

/** Disks whose shards must be rebuilt elsewhere: failed or replaced, or of a node that is out. */
export function lostDisks(deps: KeeperDeps): number[] {
  return deps.view
    .map()
    .nodes.flatMap((node) =>
      node.disks
        .filter((disk) => node.state === "out" || disk.state === "out" || disk.state === "failed")
        .map((disk) => disk.diskId),
    );
}

/** Queues every chunk of a group with a shard on one of the disks; returns how many. */
export async function queueChunksOn(
  deps: KeeperDeps,
  search: {
    readonly groupId: number;
    readonly diskIds: readonly number[];
    readonly signal: AbortSignal;
  },
): Promise<number> {
  const { groupId, diskIds, signal } = search;
  const lost = new Set(diskIds);
  let cursor: Uint8Array = new Uint8Array(0);
  let queued = 0;
  do {
    const value = { cursor, limit: PAGE, diskIds: [...diskIds] };
    const page = await deps.metadata.query(groupId, { case: "scanManifests", value });
    const entries = page.entries.flatMap(({ bucketId, manifest }): DamageEntry[] =>
      (manifest?.chunks ?? [])
        .filter((chunk) => chunk.diskIds.some((diskId) => lost.has(diskId)))
        .map(({ chunkId, diskIds: places }) => ({
          bucketId,
          key: manifest?.key ?? new Uint8Array(0),
          manifestId: manifest?.manifestId ?? new Uint8Array(0),
          chunkId,
          sinceMs: BigInt(deps.clock.wallMs()),
          owed: places.filter((diskId) => diskId === 0 || lost.has(diskId)).length,
        })),
    );
    queued += await enqueue(deps, groupId, entries);
    cursor = page.nextCursor;
  } while (cursor.byteLength > 0 && !signal.aborted);
  return queued;
}
