// The life of a replica, one step at a time: find or found the cluster, open what is on disk,
// become a member, and after a failure recover. A step that fails is made again; nothing here gives
// up.
import { Mutex } from "../lib/base/bounded.ts";
import { isStoreError, StoreError, toStoreError } from "../lib/base/errors.ts";
import type { Transport } from "../lib/ports/transport.ts";
import { membersOf } from "../lib/raft/conf-state.ts";
import type { RaftReceiver, RaftSender } from "../lib/raft/types.ts";
import { checkConfig, type MetadataConfig, type MetadataTimes } from "./config.ts";
import { Formation } from "./formation.ts";
import { freshIdentity, type Identity, type IdentityFile } from "./identity.ts";
import type { Founding } from "./membership-service.ts";
import { askPeers, groupsOf, othersServe, SERVING } from "./peer-status.ts";
import { type Failure, recoveryOf } from "./recovery.ts";
import { Replica, type ReplicaDeps } from "./replica.ts";
import { newReplicaId } from "./replica-id.ts";
import { GroupState } from "./state/group-state.ts";

/** Raft's traffic with the other replicas, for one id of this one. */
export interface RaftTraffic {
  readonly sender: RaftSender;
  /** From now on what comes in goes to `receiver`. */
  attach(receiver: RaftReceiver): void;
  close(): Promise<void>;
}

export interface LifecycleDeps extends ReplicaDeps {
  readonly transport: Transport;
  readonly config: MetadataConfig;
  readonly identity: IdentityFile;
  readonly openTraffic: (route: {
    readonly clusterId: string;
    readonly replicaId: number;
  }) => RaftTraffic;
  readonly leaderChanged: (groupId: number, isLeader: boolean) => void;
  /** The process should be restarted: its Raft log or core failed. */
  readonly fatal?: (error: StoreError) => void;
}

const RECOVERY_PAUSE_MAX_MS = 60_000;
const LEADERLESS_MS = 5000;

export class Lifecycle {
  readonly #deps: LifecycleDeps;
  readonly #times: MetadataTimes;
  readonly #formation: Formation;
  readonly #changes = new Mutex();
  readonly #stop = new AbortController();
  readonly #failures = new Map<number | undefined, Failure>();
  #replica: Replica | undefined;
  #traffic: RaftTraffic | undefined;
  #running: Promise<void> | undefined;
  #state = "starting";
  #isHanded = false;
  #recoveries = 0;
  /** Said once, however often it is decided. */
  #lastRecovery = "";
  #leaderlessSinceMs: number | undefined;

  constructor(deps: LifecycleDeps) {
    this.#deps = deps;
    this.#times = checkConfig(deps.config);
    this.#formation = new Formation({ ...deps, identity: () => deps.identity.value });
  }

  get identity(): Identity {
    return this.#deps.identity.value;
  }

  get replica(): Replica | undefined {
    return this.#replica;
  }

  get state(): string {
    return this.#state;
  }

  groupState(groupId: number): string {
    const failure = this.#failures.get(groupId) ?? this.#failures.get(undefined);
    if (failure !== undefined) return `failed: ${failure.error.message}`;
    if (this.#state !== SERVING) return this.#state;
    const raft = this.#replica?.group(groupId)?.raft;
    return raft?.leader() === undefined ? "waiting for a leader" : SERVING;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** `handOver`: others go on and are to lead; else nobody is left who could. */
  async close({ handOver }: { readonly handOver: boolean }): Promise<void> {
    this.#stop.abort();
    await this.#running;
    if (handOver) await this.#replica?.handOver();
    await this.#closeReplica();
  }

  /** Something of a group (without an id: of the whole replica) proved bad. */
  failed(groupId: number | undefined, error: StoreError): void {
    if (this.#failures.has(groupId) || this.#stop.signal.aborted) return;
    const damage = groupId === undefined ? undefined : this.#replica?.group(groupId)?.state.damage;
    const isOfState = damage !== undefined || error.message.startsWith("digest:");
    this.#failures.set(groupId, { groupId, error, isOfState });
    this.#deps.log.error("metadata replica failed", error, { groupId, isOfState });
  }

  /**
   * Writes the founding of the cluster down, unless it was before. Throws "conflict" for another
   * one.
   */
  found({ clusterId, founders, groupIds }: Founding): Promise<void> {
    return this.#changes.run(async () => {
      const present = this.identity.clusterId;
      if (present === clusterId) return;
      if (present !== "") throw new StoreError("conflict", `this is cluster ${present}`);
      await this.#deps.identity.update({
        clusterId,
        founders,
        groupIds,
        isFounder: true,
        isMember: true,
      });
      this.#deps.log.info("metadata cluster founded", { clusterId, founders });
    });
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#deps;
    while (!this.#stop.signal.aborted) {
      try {
        await this.#step();
        await clock.sleep(this.#times.retryMs, this.#stop.signal);
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        this.#state = `failed: ${toStoreError(error).message}`;
        log.error("metadata replica: a step failed", error);
        await clock.sleep(this.#times.retryMs, this.#stop.signal).catch(() => undefined);
      }
    }
  }

  async #step(): Promise<void> {
    const [failure] = this.#failures.values();
    if (failure !== undefined) return this.#recover(failure);
    if (this.identity.clusterId === "") return this.#findCluster();
    if (this.#replica === undefined) return this.#open();
    if (!this.#isHanded) this.#isHanded = await this.#formation.hand();
    if (!this.identity.isMember) return this.#join();
    await this.#dropFormer();
    this.#state = SERVING;
    await this.#checkRemoved();
  }

  async #findCluster(): Promise<void> {
    const next = await this.#formation.look();
    switch (next.kind) {
      case "wait":
        this.#state = next.state;
        return;
      case "found":
        await this.found(next.founding);
        // At once, so that the others open their groups while this one does.
        this.#isHanded = await this.#formation.hand();
        return;
      case "join":
        return this.#join();
    }
  }

  async #open(): Promise<void> {
    const { config, identity, leaderChanged, openTraffic } = this.#deps;
    const { replicaId, clusterId, groupIds, founders, isFounder, hasLog } = identity.value;
    const traffic = openTraffic({ clusterId, replicaId });
    this.#traffic = traffic;
    try {
      this.#replica = await Replica.open(this.#deps, {
        folder: this.#folder(replicaId),
        replicaId,
        groupIds,
        founders: isFounder ? founders.map((founder) => founder.replicaId) : [],
        hasLog,
        sender: traffic.sender,
        opened: (receiver) => traffic.attach(receiver),
        logCreated: () => (hasLog ? Promise.resolve() : identity.update({ hasLog: true })),
        leaderChanged,
        failed: (groupId, error) => {
          this.failed(groupId, error);
          if (groupId === undefined) this.#deps.fatal?.(error);
        },
      });
      this.#deps.log.info("metadata replica opened", { name: config.name, replicaId, groupIds });
    } catch (error) {
      await this.#closeReplica();
      if (!isStoreError(error, "corrupt")) throw error;
      this.failed(undefined, error);
    }
  }

  async #join(): Promise<void> {
    this.#state = "joining";
    const answers = await this.#formation.join();
    const [first] = answers;
    if (first === undefined) return;
    const { identity, log } = this.#deps;
    if (this.identity.clusterId === "") {
      const { clusterId, groupIds } = first;
      await this.#changes.run(async () => {
        if (this.identity.clusterId === "") await identity.update({ clusterId, groupIds });
      });
      return;
    }
    const voting = new Set(
      answers.flatMap(({ groups }) =>
        groups.filter(({ state }) => state === "voter").map(({ groupId }) => groupId),
      ),
    );
    for (const groupId of this.#ledGroups()) voting.add(groupId);
    if (!this.identity.groupIds.every((groupId) => voting.has(groupId))) return;
    await identity.update({ isMember: true });
    log.info("metadata replica joined", { replicaId: this.identity.replicaId });
  }

  /** Of a group that this replica leads, no other one can say that it votes there. */
  #ledGroups(): number[] {
    const mine = this.identity.replicaId;
    const groups = this.#replica?.groups() ?? [];
    return groups
      .filter(({ raft }) => raft.isLeader() && raft.status().members.voters.includes(mine))
      .map(({ groupId }) => groupId);
  }

  async #recover(failure: Failure): Promise<void> {
    const { groupId, error } = failure;
    const { config, log, clock } = this.#deps;
    const replica = this.#replica;
    const answers = await askPeers(this.#deps, config);
    const recovery = recoveryOf(failure, {
      replicaCount: config.peers.length,
      canReplay: groupId !== undefined && replica?.canReplay(groupId) === true,
      othersServe: othersServe(answers, this.identity.groupIds, config.peers.length),
    });
    const how = `${groupId} ${recovery.kind} ${error.message}`;
    if (how !== this.#lastRecovery) {
      log.info("metadata replica recovers", { groupId, how: recovery.kind, why: error.message });
    }
    this.#lastRecovery = how;
    switch (recovery.kind) {
      case "keep":
        this.#state = `failed: ${error.message}`;
        return;
      case "wait":
        this.#state = `failed: ${error.message}`;
        if (groupId !== undefined) await replica?.dropGroup(groupId);
        return;
      case "reopen":
      case "replay":
      case "rejoin":
        this.#state = "rebuilding";
        await clock.sleep(this.#recoveryPauseMs(), this.#stop.signal);
        await replica?.handOver();
        await this.#closeReplica();
        if (recovery.kind === "rejoin") await this.#takeNewId();
        else if (recovery.kind === "replay") {
          await GroupState.destroy(this.#deps, this.#groupFolder(recovery.groupId));
        }
        this.#failures.clear();
    }
  }

  /** Nothing at first; longer and longer when it does not help. */
  #recoveryPauseMs(): number {
    const pauseMs = this.#recoveries === 0 ? 0 : 1000 * 2 ** Math.min(this.#recoveries, 6);
    this.#recoveries += 1;
    return Math.min(pauseMs, RECOVERY_PAUSE_MAX_MS);
  }

  async #takeNewId(): Promise<void> {
    const { config, random, identity, log } = this.#deps;
    const former = identity.value;
    const replicaId = newReplicaId(config.name, random);
    await identity.update({
      ...freshIdentity(replicaId),
      clusterId: former.clusterId,
      groupIds: former.groupIds,
      formerIds: [...former.formerIds, former.replicaId],
    });
    log.warn("metadata replica takes a new id", { replicaId, formerId: former.replicaId });
  }

  /** Removes what was kept under ids given up, now that this one is a full member. */
  async #dropFormer(): Promise<void> {
    const { disk, identity } = this.#deps;
    const { formerIds } = identity.value;
    if (formerIds.length === 0) return;
    for (const formerId of formerIds) {
      const folder = this.#folder(formerId);
      if (await disk.exists(folder)) await disk.removeTree(folder);
    }
    await identity.update({ formerIds: [] });
  }

  /** A leader may have replaced this id while it was away (its name came back on another disk). */
  async #checkRemoved(): Promise<void> {
    const { clock, config, log } = this.#deps;
    const groups = this.#replica?.groups() ?? [];
    const silent = groups.filter(({ raft }) => raft.leader() === undefined);
    if (silent.length === 0) {
      this.#leaderlessSinceMs = undefined;
      return;
    }
    this.#leaderlessSinceMs ??= clock.monotonicMs();
    if (clock.monotonicMs() - this.#leaderlessSinceMs < LEADERLESS_MS) return;
    this.#leaderlessSinceMs = clock.monotonicMs();
    const answers = await askPeers(this.#deps, config);
    const mine = BigInt(this.identity.replicaId);
    const isRemoved = silent.some(({ groupId, raft }) =>
      groupsOf(answers, groupId).some(
        ({ role, term, voters, learners }) =>
          role === "leader" &&
          term >= BigInt(raft.status().term) &&
          membersOf(raft.status().members).length > 0 &&
          ![...voters, ...learners].some(({ replicaId }) => replicaId === mine),
      ),
    );
    if (!isRemoved) return;
    log.warn("this replica's id was removed from the cluster", { replicaId: Number(mine) });
    await this.#closeReplica();
    await this.#takeNewId();
  }

  async #closeReplica(): Promise<void> {
    const replica = this.#replica;
    const traffic = this.#traffic;
    this.#replica = undefined;
    this.#traffic = undefined;
    await replica?.close();
    await traffic?.close();
  }

  #folder(replicaId: number): string {
    return `${this.#deps.config.dataDir}/replica-${replicaId.toString(16).padStart(12, "0")}`;
  }

  #groupFolder(groupId: number): string {
    return `${this.#folder(this.identity.replicaId)}/groups/${groupId}`;
  }
}
