// A group's status as the service sees it, from the core's.
import { NO_MEMBERS } from "./conf-state.ts";
import type { GroupStatus, RaftId } from "./core.ts";
import type { PeerStatus, RaftGroupStatus } from "./types.ts";

export interface StatusParts {
  readonly groupId: number;
  readonly nodeId: RaftId;
  /** The last known; undefined when the group never opened. */
  readonly status: GroupStatus | undefined;
  readonly appliedIndex: number;
  readonly logStartIndex: number;
  readonly failure: string | undefined;
}

export function groupStatus(parts: StatusParts): RaftGroupStatus {
  const { groupId, nodeId, status, appliedIndex, logStartIndex, failure } = parts;
  const stopped = failure !== undefined || status === undefined;
  return {
    groupId,
    nodeId,
    role: stopped ? "follower" : status.role,
    leader: stopped || status.leader === 0 ? undefined : status.leader,
    term: status?.term ?? 0,
    commitIndex: status?.commit ?? 0,
    appliedIndex,
    lastIndex: status?.lastIndex ?? 0,
    logStartIndex,
    members: status?.confState ?? NO_MEMBERS,
    peers: stopped ? [] : peersOf(status, nodeId),
    failure,
  };
}

/** What the leader and every follower it hears of have. */
export function sharedIndex({ lastIndex, peers }: RaftGroupStatus): number {
  const lag = Math.max(0, ...peers.filter((peer) => peer.active).map((peer) => peer.lagEntries));
  return lastIndex - lag;
}

function peersOf(status: GroupStatus, nodeId: RaftId): PeerStatus[] {
  return status.peers
    .filter((peer) => peer.nodeId !== nodeId)
    .map((peer) => ({
      nodeId: peer.nodeId,
      lagEntries: Math.max(0, status.lastIndex - peer.match),
      state: peer.state,
      active: peer.recentActive,
    }));
}
