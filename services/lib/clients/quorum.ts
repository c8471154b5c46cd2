// How the voters of each metadata group stand, by what the replicas that answer say: a voter that
// is silent is a voter all the same.
import type { ReplicaStatusResponse } from "../gen/dolium/metadata/v1/metadata_pb.ts";
import type { ReplicaReport } from "./cluster-report.ts";

export interface GroupQuorum {
  readonly groupId: number;
  /** Names of its voters; empty for one that the answering replicas do not know. */
  readonly voters: readonly string[];
  /** Voters that answered and serve. */
  readonly serving: readonly string[];
  /** Voters without whom nothing is committed: a majority. */
  readonly majority: number;
}

/** Of every group that an answering replica has. */
export function quorumsOf(replicas: readonly Pick<ReplicaReport, "status">[]): GroupQuorum[] {
  const statuses = replicas.flatMap(({ status }) => (status === undefined ? [] : [status]));
  const ids = new Set(statuses.flatMap(({ groups }) => groups.map(({ groupId }) => groupId)));
  return [...ids].sort((a, b) => a - b).map((groupId) => quorumOf(statuses, groupId));
}

/** Why these replicas must stay; those that are no voters may always go. */
export function quorumObjections(
  quorums: readonly GroupQuorum[],
  names: ReadonlySet<string>,
): string[] {
  return quorums.flatMap(({ groupId, voters, serving, majority }) => {
    if (!voters.some((name) => names.has(name))) return [];
    const left = serving.filter((name) => !names.has(name)).length;
    if (left >= majority) return [];
    return [`group ${groupId}: ${left} voters would serve, ${majority} are a majority`];
  });
}

function quorumOf(statuses: readonly ReplicaStatusResponse[], groupId: number): GroupQuorum {
  const known = statuses.flatMap(({ name, replicaId, groups }) => {
    const group = groups.find((one) => one.groupId === groupId);
    return group === undefined ? [] : [{ name, replicaId, group }];
  });
  // Who leads knows its voters best; without a leader whoever heard of the newest term.
  const [newest] = known.toSorted(
    (a, b) =>
      Number(b.group.term - a.group.term) ||
      Number(b.group.role === "leader") - Number(a.group.role === "leader"),
  );
  const voters = newest?.group.voters ?? [];
  const isVoter = new Set(voters.map(({ replicaId }) => replicaId));
  const serving = known.filter(
    ({ replicaId, group }) => isVoter.has(replicaId) && group.state === "serving",
  );
  const names = new Map(known.map(({ replicaId, name }) => [replicaId, name]));
  return {
    groupId,
    voters: voters.map(({ replicaId, name }) => names.get(replicaId) ?? name),
    serving: serving.map(({ name }) => name),
    majority: Math.floor(voters.length / 2) + 1,
  };
}
