// Everything that lives under one replica id: the Raft log, the host, and each group's state. It is
// opened from disk, serves until something of it proves bad, and is then closed for good; the
// server decides whether it may be opened again or another id must take its place.
import { present } from "../lib/base/assert.ts";
import { isStoreError, StoreError, toStoreError } from "../lib/base/errors.ts";
import { makeInnerFolder } from "../lib/base/power-safe-folders.ts";
import type { Clock } from "../lib/ports/clock.ts";
import type { Disk } from "../lib/ports/disk.ts";
import type { KvFactory } from "../lib/ports/kv.ts";
import type { Log } from "../lib/ports/log.ts";
import type { Metrics } from "../lib/ports/metrics.ts";
import type { Random } from "../lib/ports/random.ts";
import { encodeConfState, initialMembers } from "../lib/raft/conf-state.ts";
import { createRaftCore } from "../lib/raft/core.ts";
import type { GroupTiming } from "../lib/raft/group-deps.ts";
import { RaftHost } from "../lib/raft/host.ts";
import type { RaftGroup, RaftReceiver, RaftSender } from "../lib/raft/types.ts";
import { LogStore } from "./log-store.ts";
import { GroupState } from "./state/group-state.ts";

export interface ReplicaDeps {
  readonly disk: Disk;
  readonly kvFactory: KvFactory;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly raftTiming?: Partial<GroupTiming>;
}

export interface ReplicaOptions {
  readonly folder: string;
  readonly replicaId: number;
  readonly groupIds: readonly number[];
  /** Ids of the cluster's first voters; empty for a replica that was added later. */
  readonly founders: readonly number[];
  /** The log was created before: a missing one is lost. */
  readonly hasLog: boolean;
  readonly sender: RaftSender;
  /** Called once the log is there and before any group is opened. */
  readonly logCreated: () => Promise<void>;
  /** Called once messages may come in, before any group is opened. */
  readonly opened: (receiver: RaftReceiver) => void;
  readonly leaderChanged: (groupId: number, isLeader: boolean) => void;
  /** One group failed, or (without an id) the whole replica. */
  readonly failed: (groupId: number | undefined, error: StoreError) => void;
}

export interface ReplicaGroup {
  readonly groupId: number;
  readonly state: GroupState;
  readonly raft: RaftGroup;
}

/** What a bootstrapped group begins with (lib/raft/open-group.ts). */
const FIRST = { index: 1, term: 1 };
const HAND_OVER_MS = 1000;

export class Replica {
  readonly replicaId: number;
  readonly host: RaftHost;
  readonly #log: LogStore;
  readonly #logger: Log;
  readonly #groups = new Map<number, ReplicaGroup>();
  #closing: Promise<void> | undefined;

  constructor(host: RaftHost, log: LogStore, logger: Log) {
    this.replicaId = host.nodeId;
    this.host = host;
    this.#log = log;
    this.#logger = logger;
  }

  /** Throws "corrupt" when log or state lost what they held: this id must not be used any more. */
  static async open(deps: ReplicaDeps, options: ReplicaOptions): Promise<Replica> {
    const log = await openLog(deps, options);
    try {
      await options.logCreated();
    } catch (error) {
      await log.close();
      throw error;
    }
    const { clock, random, metrics } = deps;
    const host = new RaftHost({
      core: createRaftCore({ seed: seedFrom(random) }),
      log,
      clock,
      logger: deps.log,
      metrics,
      sender: options.sender,
      nodeId: options.replicaId,
      events: {
        leaderChanged: (groupId, _leader, isLeader) => options.leaderChanged(groupId, isLeader),
        groupFailed: (groupId, error) => options.failed(groupId, toStoreError(error)),
        failed: (error) => options.failed(undefined, toStoreError(error)),
      },
      ...(deps.raftTiming === undefined ? {} : { timing: deps.raftTiming }),
    });
    const replica = new Replica(host, log, deps.log);
    options.opened(host);
    try {
      for (const groupId of options.groupIds) await replica.#openGroup(deps, options, groupId);
      return replica;
    } catch (error) {
      await replica.close();
      throw error;
    }
  }

  group(groupId: number): ReplicaGroup | undefined {
    return this.#groups.get(groupId);
  }

  groups(): ReplicaGroup[] {
    return [...this.#groups.values()];
  }

  /**
   * True when the group's log goes back to its beginning: its state can be made again without
   * others.
   */
  canReplay(groupId: number): boolean {
    const state = this.#log.state(groupId);
    return state?.snapshotIndex === FIRST.index && state.snapshotTerm === FIRST.term;
  }

  /** Takes one group out of service; the others go on. */
  async dropGroup(groupId: number): Promise<void> {
    const group = this.#groups.get(groupId);
    if (group === undefined) return;
    this.#groups.delete(groupId);
    await this.host.closeGroup(groupId);
    await group.state.close();
  }

  /**
   * Gives up the leadership of every group to a replica that is up to date, as far as there is one;
   * all groups at once.
   */
  async handOver(): Promise<void> {
    await Promise.all([...this.#groups.values()].map((group) => this.#handOverGroup(group)));
  }

  async #handOverGroup({ groupId, raft }: ReplicaGroup): Promise<void> {
    if (!raft.isLeader()) return;
    const { members, peers } = raft.status();
    const heir = peers
      .filter((peer) => peer.active && members.voters.includes(peer.nodeId))
      .sort((a, b) => a.lagEntries - b.lagEntries)[0];
    if (heir === undefined) return;
    try {
      await raft.transferLeadership(heir.nodeId, { deadlineMs: HAND_OVER_MS });
    } catch (error) {
      this.#logger.warn("leadership was not handed over", { groupId, reason: String(error) });
    }
  }

  /** Stops Raft, then closes states and log. What fails is logged; nothing is left running. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#attempt("stop Raft", () => this.host.stop());
    for (const { groupId, state } of this.#groups.values()) {
      await this.#attempt(`close the state of group ${groupId}`, () => state.close());
    }
    await this.#attempt("close the Raft log", () => this.#log.close());
  }

  async #attempt(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#logger.error(`metadata replica: could not ${what}`, error);
    }
  }

  async #openGroup(deps: ReplicaDeps, options: ReplicaOptions, groupId: number): Promise<void> {
    const { founders } = options;
    const folder = `${options.folder}/groups/${groupId}`;
    const state = await this.#openState(deps, options, { groupId, folder });
    try {
      const bootstrap = founders.length === 0 ? {} : { bootstrap: founders };
      const raft = await this.host.openGroup({ groupId, machine: state, ...bootstrap });
      this.#groups.set(groupId, { groupId, state, raft });
    } catch (error) {
      await state.close();
      throw error;
    }
  }

  /**
   * Opens a state; one that is bad or behind the log is made again from the log, if that goes back
   * far enough.
   */
  async #openState(
    deps: ReplicaDeps,
    { founders }: ReplicaOptions,
    { groupId, folder }: { readonly groupId: number; readonly folder: string },
  ): Promise<GroupState> {
    const logState = this.#log.state(groupId);
    try {
      const state = await GroupState.open(deps, folder);
      if (logState === undefined || state.appliedIndex >= logState.snapshotIndex) return state;
      await state.close();
      throw new StoreError("corrupt", `group ${groupId}: the state is behind its log`);
    } catch (error) {
      const { index, term } = FIRST;
      const isWhole = logState?.snapshotIndex === index && logState.snapshotTerm === term;
      if (!isStoreError(error, "corrupt") || !isWhole || founders.length === 0) throw error;
      deps.log.error("metadata state is made again from the log", error, { groupId });
    }
    await GroupState.destroy(deps, folder);
    const state = await GroupState.open(deps, folder);
    const confState = encodeConfState(initialMembers(founders));
    await state.restore({ ...FIRST, confState }, nothing());
    return state;
  }
}

async function openLog(deps: ReplicaDeps, options: ReplicaOptions): Promise<LogStore> {
  const { disk, random, clock, metrics } = deps;
  for (const folder of [options.folder, `${options.folder}/groups`]) {
    await makeInnerFolder(disk, folder);
  }
  const path = `${options.folder}/log`;
  if (options.hasLog && !(await disk.exists(path))) {
    throw new StoreError("corrupt", "the Raft log is gone");
  }
  return LogStore.open({ disk, path, random, clock, log: deps.log, metrics });
}

function seedFrom(random: Random): bigint {
  const bytes = random.bytes(8);
  return Buffer.from(present(bytes, "seed")).readBigUInt64LE(0);
}

async function* nothing(): AsyncIterable<Uint8Array> {
  // The state a group begins with has no entries.
}
