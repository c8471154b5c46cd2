// Finds chunks that need repair and puts them on their group's repair queue: those with a shard on a disk
// or node that is gone, and those whose shard a scrubber or reader found bad. The queue is replicated, so
// a keeper that dies loses nothing, and its length tells the truth.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { toHex } from "../../lib/base/bytes.ts";
import type { RepairEntrySchema } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import type { KeeperDeps } from "../deps.ts";

type Entry = MessageInitShape<typeof RepairEntrySchema>;

const PAGE = 500;

/** Disks whose shards must be rebuilt elsewhere: failed or replaced, or of a node that is out. */
export function lostDisks(deps: KeeperDeps): number[] {
  return deps.view
    .map()
    .nodes.flatMap((node) =>
      node.disks
        .filter((disk) => leaves(node.state) || disk.state === "out" || disk.state === "failed")
        .map((disk) => disk.diskId),
    );
}

function leaves(state: string): boolean {
  return state === "out" || state === "draining";
}

/** Queues every chunk of a group with a shard on one of the disks; returns how many. */
export async function queueChunksOn(
  deps: KeeperDeps,
  groupId: number,
  diskIds: readonly number[],
  signal: AbortSignal,
): Promise<number> {
  const lost = new Set(diskIds);
  let cursor: Uint8Array = new Uint8Array(0);
  let queued = 0;
  do {
    const value = { cursor, limit: PAGE, diskIds: [...diskIds] };
    const page = await deps.metadata.query(groupId, { case: "scanManifests", value });
    const entries = page.entries.flatMap(({ bucketId, manifest }): Entry[] =>
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

/** Reads the disks' lists of bad shards; remembers how far each was read. */
export class BadShardCollector {
  readonly #deps: KeeperDeps;
  readonly #cursors = new Map<number, bigint>();

  constructor(deps: KeeperDeps) {
    this.#deps = deps;
  }

  /** Queues the chunks of newly found bad shards in every group (those that do not own them ignore it). */
  async collect(groups: readonly number[], signal: AbortSignal): Promise<number> {
    const { view, log } = this.#deps;
    let queued = 0;
    for (const node of view.map().nodes) {
      for (const { diskId } of node.disks) {
        if (signal.aborted) return queued;
        try {
          queued += await this.#collectDisk(diskId, groups);
        } catch (error) {
          log.debug("bad shards not asked", { diskId, reason: String(error) });
        }
      }
    }
    return queued;
  }

  async #collectDisk(diskId: number, groups: readonly number[]): Promise<number> {
    const disk = this.#deps.view.addressOf(diskId);
    if (disk === undefined) return 0;
    const cursor = this.#cursors.get(diskId) ?? 0n;
    const { owners, next } = await this.#deps.shards.listBad(disk, cursor, PAGE);
    const entries = new Map<string, Entry>();
    for (const { owner, chunkId } of owners) {
      const { bucketId, key, manifestId } = owner;
      const sinceMs = BigInt(this.#deps.clock.wallMs());
      entries.set(toHex(chunkId), { bucketId, key, manifestId, chunkId, sinceMs, owed: 1 });
    }
    for (const groupId of groups) await enqueue(this.#deps, groupId, [...entries.values()]);
    this.#cursors.set(diskId, next);
    return entries.size;
  }
}

async function enqueue(
  deps: KeeperDeps,
  groupId: number,
  entries: readonly Entry[],
): Promise<number> {
  if (entries.length === 0) return 0;
  await deps.metadata.execute(groupId, {
    case: "enqueueRepairs",
    value: { entries: [...entries] },
  });
  return entries.length;
}
