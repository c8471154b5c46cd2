// A leader whose own log cannot keep up gives leadership to a replica whose log does: at once when
// its disk is full, and when a write has stalled while another voter already acknowledged more than
// this node made durable. Heartbeats need no disk, so without this a leader with a dying disk would
// stay. Advice only: Raft decides who leads.
import type { Log } from "../ports/log.ts";
import type { GroupStatus, PeerProgress, RaftCore, RaftId } from "./core.ts";

export interface StepAsideDeps {
  readonly groupId: number;
  readonly nodeId: RaftId;
  readonly core: RaftCore;
  readonly logger: Log;
  /** A write of the log that takes longer has stalled. */
  readonly stallMs: number;
}

/** What is wrong with the leader's log. */
export interface LogTrouble {
  readonly isFull: boolean;
  /** How long the write that runs has run; undefined when none does. */
  readonly writingMs: number | undefined;
}

/** Leadership that comes back at once is not given away again for so many stalls' time. */
const CALM_STALLS = 10;

export class StepAside {
  readonly #deps: StepAsideDeps;
  #calmUntilMs = Number.NEGATIVE_INFINITY;
  #behindSinceMs: number | undefined;

  constructor(deps: StepAsideDeps) {
    this.#deps = deps;
  }

  /** At each tick of a leader. True when it asked another one to lead. */
  check(nowMs: number, { isFull, writingMs }: LogTrouble): boolean {
    const { core, groupId, nodeId, stallMs } = this.#deps;
    const isStalled = writingMs !== undefined && writingMs > stallMs;
    if (!isStalled) this.#behindSinceMs = undefined;
    if (!isFull && (!isStalled || nowMs < this.#calmUntilMs)) return false;
    const status = core.status(groupId);
    const heir = heirOf(status, nodeId);
    if (heir === undefined || status.transferee !== 0) return false;
    if (!isFull && !this.#isBehind(nowMs, heir.match > status.persisted)) return false;
    if (!core.transferLeader(groupId, heir.nodeId)) return false;
    if (!isFull) this.#noteStall(nowMs, heir.nodeId);
    return true;
  }

  /** Where all disks stall alike the others are ahead for moments only. */
  #isBehind(nowMs: number, isAhead: boolean): boolean {
    if (!isAhead) this.#behindSinceMs = undefined;
    else this.#behindSinceMs ??= nowMs;
    const since = this.#behindSinceMs;
    return since !== undefined && nowMs - since >= this.#deps.stallMs / 2;
  }

  #noteStall(nowMs: number, to: RaftId): void {
    const { logger, stallMs, groupId } = this.#deps;
    this.#behindSinceMs = undefined;
    this.#calmUntilMs = nowMs + stallMs * CALM_STALLS;
    logger.warn("the Raft log stalls: another node should lead", { group: groupId, to });
  }
}

/** The voter that follows most closely. */
function heirOf({ peers, confState }: GroupStatus, nodeId: RaftId): PeerProgress | undefined {
  const able = peers.filter(
    (peer) =>
      peer.nodeId !== nodeId &&
      peer.recentActive &&
      peer.state === "replicate" &&
      confState.voters.includes(peer.nodeId),
  );
  return able.sort((a, b) => b.match - a.match)[0];
}
