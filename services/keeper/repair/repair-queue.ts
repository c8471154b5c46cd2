// Works the repair queues of all groups: the chunks with the least margin first, a few at a time,
// at a bounded rate. What cannot be repaired now is tried again after a pause.
import { mapBounded } from "../../lib/base/bounded.ts";
import { toHex } from "../../lib/base/bytes.ts";
import type { RepairEntry } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import type { KeeperDeps } from "../deps.ts";
import { Pace } from "../pace.ts";
import { repairChunk } from "./repair-chunk.ts";

const PAGE = 500;
/** Repaired in one round; then the queues are read again. */
const ROUND_MAX = 500;
/** Entries of a queue that are looked at for those with the least margin. */
const EXAMINED_MAX = 100_000;
const WAITING_MAX = 100_000;
/** Of entries that do not say (older releases wrote them): as in 4+2. */
const PARITY_SHARDS = 2;

export interface RepairRound {
  readonly repairedChunks: number;
  readonly rebuiltShards: number;
  readonly rebuiltBytes: number;
  readonly waitingChunks: number;
  /** When the oldest entry was queued, milliseconds since 1970; undefined: nothing waited. */
  readonly oldestMs: number | undefined;
}

interface Rebuilt {
  readonly shards: number;
  readonly bytes: number;
}

interface DueEntry {
  readonly groupId: number;
  readonly entry: RepairEntry;
  /** Shards that may be lost besides those that are. */
  readonly margin: number;
}

export class RepairQueue {
  readonly #deps: KeeperDeps;
  readonly #pace: Pace;
  /** Chunks that could not be repaired, and when to try again (monotonic milliseconds). */
  readonly #retryAt = new Map<string, number>();

  constructor(deps: KeeperDeps) {
    this.#deps = deps;
    this.#pace = new Pace(deps.clock, deps.config.repairBytesPerSecond);
  }

  /** What waits for another try is tried at once. */
  restart(): void {
    this.#retryAt.clear();
  }

  async work(groups: readonly number[], signal: AbortSignal): Promise<RepairRound> {
    const round = { repairedChunks: 0, rebuiltShards: 0, rebuiltBytes: 0, waitingChunks: 0 };
    let oldestMs: number | undefined;
    const due: DueEntry[] = [];
    for (const groupId of groups) {
      const found = await this.#dueEntries(groupId, signal);
      round.waitingChunks += found.waiting;
      oldestMs = earlier(oldestMs, found.oldestMs);
      due.push(...found.entries);
    }
    const next = leastMarginFirst(due);
    round.waitingChunks += due.length - next.length;
    await mapBounded(next, this.#deps.config.repairWidth, async (entry) => {
      const rebuilt = signal.aborted ? undefined : await this.#repair(entry, signal);
      if (rebuilt === undefined) {
        round.waitingChunks += 1;
      } else {
        round.repairedChunks += 1;
        round.rebuiltShards += rebuilt.shards;
        round.rebuiltBytes += rebuilt.bytes;
      }
    });
    return { ...round, oldestMs };
  }

  /** Of the whole queue, those with the least margin that are not waiting for another try. */
  async #dueEntries(
    groupId: number,
    signal: AbortSignal,
  ): Promise<{ entries: DueEntry[]; waiting: number; oldestMs: number | undefined }> {
    const now = this.#deps.clock.monotonicMs();
    let entries: DueEntry[] = [];
    let waiting = 0;
    let oldestMs: number | undefined;
    let examined = 0;
    let cursor: Uint8Array = new Uint8Array(0);
    do {
      const value = { cursor, limit: PAGE };
      const page = await this.#deps.metadata.query(groupId, { case: "listRepairs", value });
      for (const entry of page.entries) {
        if (isFollowing(entry)) continue;
        oldestMs = earlier(oldestMs, Number(entry.sinceMs));
        const isResting = (this.#retryAt.get(nameOf(groupId, entry)) ?? 0) > now;
        if (isResting) waiting += 1;
        else entries.push({ groupId, entry, margin: marginOf(entry) });
      }
      if (entries.length > 2 * ROUND_MAX) {
        const kept = leastMarginFirst(entries);
        waiting += entries.length - kept.length;
        entries = kept;
      }
      examined += page.entries.length;
      cursor = page.nextCursor;
    } while (cursor.byteLength > 0 && examined < EXAMINED_MAX && !signal.aborted);
    return { entries, waiting, oldestMs };
  }

  /** What was rebuilt, or undefined when the chunk must wait. */
  async #repair({ groupId, entry }: DueEntry, signal: AbortSignal): Promise<Rebuilt | undefined> {
    const { bucketId, key, manifestId, chunkId } = entry;
    const name = nameOf(groupId, entry);
    try {
      const damaged = { groupId, bucketId, key, manifestId, chunkId };
      const result = await repairChunk(this.#deps, damaged, { pace: this.#pace, signal });
      if (result.kind === "done") {
        this.#retryAt.delete(name);
        return { shards: result.rebuiltCount, bytes: result.rebuiltBytes };
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

/** Lacks nothing where it is; the task that brings it to its policy takes it. */
function isFollowing({ following, owed, relaxed }: RepairEntry): boolean {
  return following && owed === 0 && !relaxed;
}

function marginOf({ parityShards, owed }: RepairEntry): number {
  return (parityShards === 0 ? PARITY_SHARDS : parityShards) - owed;
}

/** The first of them to repair: least margin, then longest in the queue. */
function leastMarginFirst(entries: readonly DueEntry[]): DueEntry[] {
  const sorted = entries.toSorted(
    (a, b) => a.margin - b.margin || Number(a.entry.sinceMs - b.entry.sinceMs),
  );
  return sorted.slice(0, ROUND_MAX);
}

function earlier(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}

function nameOf(groupId: number, entry: RepairEntry): string {
  return `${groupId}/${toHex(entry.manifestId)}/${toHex(entry.chunkId)}`;
}
