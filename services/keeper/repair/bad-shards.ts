// Collects what scrubbers and readers on the storage nodes found bad, and queues the chunks for
// repair.
import { toHex } from "../../lib/base/bytes.ts";
import type { KeeperDeps } from "../deps.ts";
import { type DamageEntry, enqueue } from "./enqueue.ts";

const PAGE = 500;

/** Reads the disks' lists of bad shards; remembers how far each was read. */
export class BadShardCollector {
  readonly #deps: KeeperDeps;
  readonly #cursors = new Map<number, bigint>();

  constructor(deps: KeeperDeps) {
    this.#deps = deps;
  }

  /** All that is known to be bad counts as new. */
  restart(): void {
    this.#cursors.clear();
  }

  /**
   * Queues the chunks of newly found bad shards in every group (those that do not own them ignore
   * it).
   */
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
    const entries = new Map<string, DamageEntry>();
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
