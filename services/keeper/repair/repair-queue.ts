// Works a group's repair queue: the chunks with the least margin first, a few at a time. What
// cannot be repaired now is tried again after a pause.
import { mapBounded } from "../../lib/base/bounded.ts";
import { toHex } from "../../lib/base/bytes.ts";
import type { RepairEntry } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import type { KeeperDeps } from "../deps.ts";
import { repairChunk } from "./repair-chunk.ts";

const PAGE = 500;
const WAITING_MAX = 100_000;

export interface RepairRound {
  readonly repairedChunks: number;
  readonly rebuiltShards: number;
  readonly waitingChunks: number;
}

export class RepairQueue {
  readonly #deps: KeeperDeps;
  /** Chunks that could not be repaired, and when to try again (monotonic milliseconds). */
  readonly #retryAt = new Map<string, number>();

  constructor(deps: KeeperDeps) {
    this.#deps = deps;
  }

  async work(groupId: number, signal: AbortSignal): Promise<RepairRound> {
    const round = { repairedChunks: 0, rebuiltShards: 0, waitingChunks: 0 };
    const due = await this.#dueEntries(groupId);
    round.waitingChunks = due.waiting;
    await mapBounded(due.entries, this.#deps.config.repairWidth, async (entry) => {
      if (signal.aborted) return;
      const rebuilt = await this.#repair(groupId, entry, signal);
      if (rebuilt === undefined) {
        round.waitingChunks += 1;
      } else {
        round.repairedChunks += 1;
        round.rebuiltShards += rebuilt;
      }
    });
    return round;
  }

  async #dueEntries(groupId: number): Promise<{ entries: RepairEntry[]; waiting: number }> {
    const now = this.#deps.clock.monotonicMs();
    const entries: RepairEntry[] = [];
    let waiting = 0;
    let cursor: Uint8Array = new Uint8Array(0);
    do {
      const value = { cursor, limit: PAGE };
      const page = await this.#deps.metadata.query(groupId, { case: "listRepairs", value });
      for (const entry of page.entries) {
        if ((this.#retryAt.get(nameOf(groupId, entry)) ?? 0) > now) waiting += 1;
        else entries.push(entry);
      }
      cursor = page.nextCursor;
    } while (cursor.byteLength > 0 && entries.length < PAGE);
    entries.sort((a, b) => b.owed - a.owed);
    return { entries, waiting };
  }

  /** Shards rebuilt, or undefined when the chunk must wait. */
  async #repair(
    groupId: number,
    entry: RepairEntry,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const { bucketId, key, manifestId, chunkId } = entry;
    const name = nameOf(groupId, entry);
    try {
      const damaged = { groupId, bucketId, key, manifestId, chunkId };
      const result = await repairChunk(this.#deps, damaged, signal);
      if (result.kind === "done") {
        this.#retryAt.delete(name);
        return result.rebuiltCount;
      }
      this.#deps.log.debug("repair waits", { chunk: toHex(chunkId), reason: result.reason });
    } catch (error) {
      this.#deps.log.warn("repair failed", { chunk: toHex(chunkId), reason: String(error) });
    }
    if (this.#retryAt.size >= WAITING_MAX) this.#retryAt.clear();
    this.#retryAt.set(name, this.#deps.clock.monotonicMs() + this.#deps.config.repairRetryMs);
    return undefined;
  }
}

function nameOf(groupId: number, entry: RepairEntry): string {
  return `${groupId}/${toHex(entry.manifestId)}/${toHex(entry.chunkId)}`;
}
