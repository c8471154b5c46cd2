// Deletes the shards of the garbage queue: what a committed overwrite, delete, abort or relocation
// freed, after a delay for the reads that still use them. A record leaves the queue when every disk
// confirmed, or is out of the cluster for good; shards on a node that is away wait for it. Nothing
// goes while garbage is frozen, or when a manifest still names it.
import { mapBounded } from "../../lib/base/bounded.ts";
import { toHex } from "../../lib/base/bytes.ts";
import type { DiskAddress } from "../../lib/clients/shard-client.ts";
import type { Garbage } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import type { KeeperDeps } from "../deps.ts";
import { freezeNow } from "./freeze.ts";
import { type GarbageDeps, trashIsUnused } from "./inspect-trash.ts";

const PAGE_RECORDS = 500;
const DISKS_AT_ONCE = 8;
const ITEMS_PER_CALL = 500;

interface Item {
  readonly name: { readonly chunkId: Uint8Array; readonly shardIndex: number };
  readonly manifestId: Uint8Array;
  readonly begunBeforeMs: bigint;
}

/** One pass over a group's queue; returns the number of shards deleted. */
export async function collectGarbage(
  deps: GarbageDeps,
  groupId: number,
  signal: AbortSignal,
): Promise<number> {
  const freedBeforeMs = BigInt(Math.max(0, deps.clock.wallMs() - deps.config.garbageDelayMs));
  let afterSequence = 0n;
  let deleted = 0;
  while (!signal.aborted) {
    const value = { freedBeforeMs, afterSequence, limit: PAGE_RECORDS };
    const { entries } = await deps.metadata.query(groupId, { case: "listGarbage", value });
    const last = entries.at(-1);
    if (last === undefined) break;
    afterSequence = last.sequence;
    // Asked before each page: a freeze holds from the next page on, wherever it was set.
    if ((await freezeNow(deps)) !== undefined) break;
    if (!(await trashIsUnused(deps, groupId, entries))) break;
    deleted += await collectPage(deps, groupId, entries);
  }
  return deleted;
}

async function collectPage(
  deps: KeeperDeps,
  groupId: number,
  entries: readonly Garbage[],
): Promise<number> {
  const byDisk = itemsByDisk(entries);
  const remaining = new Set<number>();
  let deleted = 0;
  await mapBounded([...byDisk], DISKS_AT_ONCE, async ([diskId, items]) => {
    const disk = deps.view.addressOf(diskId);
    if (disk === undefined) {
      if (!isGone(deps, diskId)) remaining.add(diskId);
      return;
    }
    try {
      const count = await deleteItems(deps, disk, items);
      deleted += count;
    } catch (error) {
      remaining.add(diskId);
      deps.log.debug("garbage stays", { diskId, reason: String(error) });
    }
  });
  const done = entries.flatMap((entry) => {
    const disks = new Set(entry.shards.map((shard) => shard.diskId));
    const left = [...disks].filter((diskId) => remaining.has(diskId));
    const same = left.length === disks.size;
    return same && left.length > 0 ? [] : [{ sequence: entry.sequence, remainingDiskIds: left }];
  });
  if (done.length > 0) {
    await deps.metadata.execute(groupId, { case: "finishGarbage", value: { done } });
  }
  return deleted;
}

function itemsByDisk(entries: readonly Garbage[]): Map<number, Item[]> {
  const byDisk = new Map<number, Item[]>();
  for (const entry of entries) {
    for (const { chunkId, shardIndex, diskId } of entry.shards) {
      if (diskId === 0) continue;
      const items = byDisk.get(diskId) ?? [];
      const { manifestId, begunBeforeMs } = entry;
      items.push({ name: { chunkId, shardIndex }, manifestId, begunBeforeMs });
      byDisk.set(diskId, items);
    }
  }
  return byDisk;
}

async function deleteItems(
  deps: KeeperDeps,
  disk: DiskAddress,
  items: readonly Item[],
): Promise<number> {
  let deleted = 0;
  for (let at = 0; at < items.length; at += ITEMS_PER_CALL) {
    deleted += await deps.shards.delete(disk, items.slice(at, at + ITEMS_PER_CALL));
  }
  deps.log.debug("garbage deleted", {
    diskId: disk.diskId,
    deleted,
    first: items[0] === undefined ? "" : toHex(items[0].name.chunkId),
  });
  return deleted;
}

/** The disk, or its node, is out of the cluster: its id never comes back. */
function isGone(deps: KeeperDeps, diskId: number): boolean {
  for (const node of deps.view.map().nodes) {
    const disk = node.disks.find((candidate) => candidate.diskId === diskId);
    if (disk !== undefined) return disk.state === "out" || node.state === "out";
  }
  return true;
}
