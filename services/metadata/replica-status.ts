// What a replica says of itself; no consensus.
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ReplicaStatusResponseSchema } from "../lib/gen/dolium/metadata/v1/metadata_pb.ts";
import type { RaftGroupStatus } from "../lib/raft/types.ts";
import type { MetadataConfig } from "./config.ts";
import type { Replica, ReplicaGroup } from "./replica.ts";
import { isIdOf } from "./replica-id.ts";

type Status = MessageInitShape<typeof ReplicaStatusResponseSchema>;

export interface StatusSource {
  readonly config: MetadataConfig;
  readonly replicaId: () => number;
  readonly replica: () => Replica | undefined;
  readonly wallMs: () => number;
  readonly state: () => string;
  readonly groupState: (groupId: number) => string;
}

export function replicaStatus(source: StatusSource): Status {
  const groups = source.replica()?.groups() ?? [];
  return {
    name: source.config.name,
    replicaId: BigInt(source.replicaId()),
    state: source.state(),
    wallMs: BigInt(Math.floor(source.wallMs())),
    opsAddress: source.config.opsAddress ?? "",
    campus: source.config.campus ?? "",
    groups: groups.map((group) => groupStatus(source, group)),
  };
}

function groupStatus(source: StatusSource, { groupId, state, raft }: ReplicaGroup) {
  const status = raft.status();
  const { members, leader } = status;
  const peer = (replicaId: number) => peerStatus(source.config, status, replicaId);
  return {
    groupId,
    role: status.role,
    leaderId: BigInt(leader ?? 0),
    leaderAddress: leader === undefined ? "" : peer(leader).address,
    term: BigInt(status.term),
    commitIndex: BigInt(status.commitIndex),
    appliedIndex: BigInt(status.appliedIndex),
    lastIndex: BigInt(status.lastIndex),
    voters: [...new Set([...members.voters, ...members.votersOutgoing])].map(peer),
    learners: [...new Set([...members.learners, ...members.learnersNext])].map(peer),
    digestIndex: state.mark.markedIndex,
    digest: state.mark.markedDigest,
    state: source.groupState(groupId),
  };
}

function peerStatus(config: MetadataConfig, status: RaftGroupStatus, replicaId: number) {
  const known = config.peers.find(({ name }) => isIdOf(replicaId, name));
  const progress = status.peers.find(({ nodeId }) => nodeId === replicaId);
  const isSelf = replicaId === status.nodeId;
  return {
    replicaId: BigInt(replicaId),
    name: known?.name ?? "",
    address: known?.address ?? "",
    matchIndex: matchIndex(status, progress?.lagEntries, isSelf),
    state: progress === undefined ? "" : progress.active ? progress.state : "silent",
  };
}

function matchIndex(status: RaftGroupStatus, lag: number | undefined, isSelf: boolean): bigint {
  if (isSelf) return BigInt(status.lastIndex);
  return lag === undefined ? 0n : BigInt(Math.max(0, status.lastIndex - lag));
}
