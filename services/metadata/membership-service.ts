// Hello, Bootstrap and Join: what this replica answers to others
// (proto/dolium/metadata/v1/membership). Ids are told only once they are durable. A bootstrap is
// taken once, and only when it names this very id; a joiner replaces the ids that its name had
// before, group by group, each moved by its leader.

import { toSafeNumber } from "../lib/base/bytes.ts";
import { isStoreError, StoreError } from "../lib/base/errors.ts";
import type { PeerIdentity } from "../lib/base/peer-identity.ts";
import type {
  BootstrapRequest,
  HelloRequest,
  JoinRequest,
  Member,
  MembershipService,
} from "../lib/gen/dolium/metadata/v1/membership_pb.ts";
import type { Log } from "../lib/ports/log.ts";
import type { ServiceHandlers } from "../lib/ports/transport.ts";
import { membersOf } from "../lib/raft/conf-state.ts";
import type { MemberChange } from "../lib/raft/core.ts";
import type { RaftGroup } from "../lib/raft/types.ts";
import type { MetadataConfig } from "./config.ts";
import type { Identity, KnownMember } from "./identity.ts";
import type { Replica } from "./replica.ts";
import { isIdOf } from "./replica-id.ts";

export interface MembershipDeps {
  readonly config: MetadataConfig;
  readonly log: Log;
  /** The durable identity as it is now. */
  readonly identity: () => Identity;
  readonly replica: () => Replica | undefined;
  /** Takes the founding of the cluster down, durably. */
  readonly found: (founding: Founding) => Promise<void>;
}

export interface Founding {
  readonly clusterId: string;
  readonly founders: readonly KnownMember[];
  readonly groupIds: readonly number[];
}

export interface PlainMember {
  readonly replicaId: bigint;
  readonly name: string;
  readonly address: string;
}

/** A learner this many entries behind is made a voter. */
const PROMOTE_LAG_MAX = 64;
const CHANGE_MS = 3000;

export function knownMember({ replicaId, name, address }: PlainMember): KnownMember {
  return { replicaId: toSafeNumber(replicaId), name, address };
}

export function plainMember({ replicaId, name, address }: KnownMember): PlainMember {
  return { replicaId: BigInt(replicaId), name, address };
}

/** Every id in the membership of the groups, with its name where that is known. */
export function currentMembers(
  config: MetadataConfig,
  replica: Replica | undefined,
): PlainMember[] {
  const ids = new Set<number>();
  for (const { raft } of replica?.groups() ?? []) {
    for (const id of membersOf(raft.status().members)) ids.add(id);
  }
  return [...ids].map((replicaId) => {
    const peer = config.peers.find(({ name }) => isIdOf(replicaId, name));
    return {
      replicaId: BigInt(replicaId),
      name: peer?.name ?? "",
      address: peer?.address ?? "",
    };
  });
}

export function membershipHandlers(
  deps: MembershipDeps,
): ServiceHandlers<typeof MembershipService> {
  return {
    hello: async (request, { caller }) => {
      checkSpeaker(caller, request.from);
      return hello(deps, request);
    },
    bootstrap: (request) => bootstrap(deps, request),
    join: async (request, { caller }) => {
      checkSpeaker(caller, request.joiner);
      return join(deps, request);
    },
  };
}

async function hello(deps: MembershipDeps, request: HelloRequest) {
  const { config } = deps;
  const { replicaId, clusterId, founders } = deps.identity();
  checkName(config, request.from);
  const seen = currentMembers(config, deps.replica());
  const members = seen.length > 0 ? seen : founders.map(plainMember);
  return {
    member: { replicaId: BigInt(replicaId), name: config.name, address: config.address },
    initialized: clusterId !== "",
    clusterId,
    members,
  };
}

async function bootstrap(deps: MembershipDeps, request: BootstrapRequest) {
  const { config } = deps;
  const { replicaId, clusterId } = deps.identity();
  const mine = request.members.find(({ name }) => name === config.name);
  if (mine === undefined || toSafeNumber(mine.replicaId) !== replicaId) {
    throw new StoreError("conflict", `${config.name} is not the replica that was meant`);
  }
  if (clusterId !== "") {
    if (clusterId === request.clusterId) return {};
    throw new StoreError("conflict", `${config.name} belongs to cluster ${clusterId}`);
  }
  checkCluster(config, request.clusterId);
  await deps.found({
    clusterId: request.clusterId,
    founders: request.members.map(knownMember),
    groupIds: request.groupIds,
  });
  return {};
}

async function join(deps: MembershipDeps, request: JoinRequest) {
  const { config } = deps;
  const { clusterId, groupIds } = deps.identity();
  const { joiner } = request;
  if (joiner === undefined) throw new StoreError("invalid", "join: who?");
  checkName(config, joiner);
  const joinerId = toSafeNumber(joiner.replicaId);
  if (!isIdOf(joinerId, joiner.name)) {
    throw new StoreError("invalid", `${joiner.name} cannot have the id ${joinerId}`);
  }
  const replica = deps.replica();
  if (clusterId === "" || replica === undefined) {
    throw new StoreError("unavailable", `${config.name} belongs to no cluster yet`);
  }
  if (request.clusterId !== "" && request.clusterId !== clusterId) {
    throw new StoreError("conflict", `this is cluster ${clusterId}`);
  }
  // A joiner writes down which cluster it belongs to before anybody counts on its id: one that lost
  // power in between would be a member that waits for a founding.
  const mayMove = request.clusterId !== "";
  const groups = [];
  for (const { groupId, raft } of replica.groups()) {
    const state = mayMove
      ? await moveJoiner(deps, raft, { joinerId, name: joiner.name })
      : "not-member";
    groups.push({ groupId, state });
  }
  const members = currentMembers(config, replica);
  return { clusterId, members, groupIds: [...groupIds], groups };
}

/** Does the next step for the joiner in one group, when this replica leads it. */
async function moveJoiner(
  deps: MembershipDeps,
  raft: RaftGroup,
  { joinerId, name }: { readonly joinerId: number; readonly name: string },
): Promise<string> {
  if (!raft.isLeader()) return "not-leader";
  const { members, peers } = raft.status();
  const former = membersOf(members).filter((id) => id !== joinerId && isIdOf(id, name));
  const isVoter = members.voters.includes(joinerId);
  if (isVoter && former.length === 0) return "voter";
  const changes: MemberChange[] = former.map((nodeId) => ({ kind: "remove", nodeId }));
  const isLearner = members.learners.includes(joinerId);
  const progress = peers.find(({ nodeId }) => nodeId === joinerId);
  // An idle group stays in "probe": what the learner has acknowledged counts, not how it is sent
  // to.
  const isReady =
    progress?.active === true &&
    progress.state !== "snapshot" &&
    progress.lagEntries <= PROMOTE_LAG_MAX;
  if (!isVoter && !isLearner) changes.push({ kind: "add-learner", nodeId: joinerId });
  else if (isLearner && isReady) changes.push({ kind: "add-voter", nodeId: joinerId });
  if (changes.length === 0) return "learner";
  const { groupId } = raft;
  deps.log.info("metadata membership changes", { groupId, changes });
  try {
    await raft.changeMembers(changes, { deadlineMs: CHANGE_MS });
  } catch (error) {
    // Another change is on its way, or leadership just moved: the joiner asks again.
    if (!isStoreError(error)) throw error;
    deps.log.warn("metadata membership did not change", { groupId, reason: error.message });
    return former.length > 0 ? "removing" : "learner";
  }
  return isLearner && isReady ? "voter" : "learner";
}

/** A replica with a certificate speaks for itself alone. */
function checkSpeaker(caller: PeerIdentity | undefined, member: Member | undefined): void {
  if (caller === undefined || caller.name === member?.name) return;
  throw new StoreError("denied", `${caller.name} speaks for itself, not for ${member?.name ?? ""}`);
}

function checkName(config: MetadataConfig, member: Member | undefined): void {
  const known = config.peers.some(({ name }) => name === member?.name);
  if (!known) throw new StoreError("denied", `no metadata replica is called ${member?.name ?? ""}`);
}

export function checkCluster(config: MetadataConfig, clusterId: string): void {
  if (config.clusterId !== "" && config.clusterId !== clusterId) {
    throw new StoreError("conflict", `this is cluster ${clusterId}, not ${config.clusterId}`);
  }
}
