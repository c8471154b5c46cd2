// What one replica of one group is made from.
import type { Semaphore } from "../base/bounded.ts";
import type { Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { ConfState, RaftCore, RaftId } from "./core.ts";
import type { Group } from "./group.ts";
import type { RaftMetrics } from "./group-metrics.ts";
import type { RaftLog, RaftSender, StateMachine } from "./types.ts";

/** One proposal; a message of Raft carries it whole. */
export const PROPOSAL_BYTES_MAX = 2 * 1024 * 1024;

export interface GroupTiming {
  readonly tickMs: number;
  /** A tick while a group knows no leader, where it is shorter because no network is waited for. */
  readonly leaderlessTickMs?: number;
  readonly electionTicks: number;
  readonly heartbeatTicks: number;
  /** A leader whose log write takes longer lets another lead, if one keeps up. */
  readonly slowWriteMs: number;
  /** Entries and bytes kept in the log for followers that lag. */
  readonly keepEntries: number;
  readonly keepBytes: number;
  /** A snapshot without progress for this long is given up. */
  readonly snapshotIdleMs: number;
}

export interface GroupDeps {
  readonly groupId: number;
  readonly nodeId: RaftId;
  readonly core: RaftCore;
  readonly log: RaftLog;
  readonly machine: StateMachine;
  readonly clock: Clock;
  readonly logger: Log;
  readonly metrics: RaftMetrics;
  readonly sender: RaftSender;
  readonly streams: Semaphore;
  readonly timing: GroupTiming;
  /** There is something to flush, or the core may have work. */
  readonly wake: (group: Group) => void;
  readonly post: (to: RaftId, groupId: number, message: Uint8Array) => void;
  readonly leaderChanged: (group: Group) => void;
  readonly membersChanged: (groupId: number, members: ConfState) => void;
  /** This replica is done for; other groups go on. */
  readonly failed: (group: Group, error: unknown) => void;
  /** The whole node is done for. */
  readonly fatal: (error: unknown) => void;
}
