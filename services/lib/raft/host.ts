// All Raft replicas of one process: one core, one log, one clock. Inputs (calls, messages, ticks,
// finished writes) wake the host; then every group with work is taken through its Readys, and what
// they send leaves in one batch per peer. When the log or the core fails, everything stops and says
// so.
import { Semaphore } from "../base/bounded.ts";
import { isStoreError, StoreError, toStoreError } from "../base/errors.ts";
import type { Clock, Timer } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { Metrics } from "../ports/metrics.ts";
import type { RaftCore, RaftId } from "./core.ts";
import { Group } from "./group.ts";
import type { GroupTiming } from "./group-deps.ts";
import { RaftMetrics } from "./group-metrics.ts";
import { prepareGroup } from "./open-group.ts";
import { SNAPSHOT_STREAMS_MAX } from "./snapshot-sender.ts";
import type {
  Envelope,
  IncomingSnapshot,
  RaftGroup,
  RaftHostEvents,
  RaftLog,
  RaftReceiver,
  RaftSender,
  StateMachine,
} from "./types.ts";

export interface RaftHostDeps {
  /** A fresh instance; the host owns it. */
  readonly core: RaftCore;
  /** Stays open when the host stops. */
  readonly log: RaftLog;
  readonly clock: Clock;
  readonly logger: Log;
  readonly metrics: Metrics;
  readonly sender: RaftSender;
  /** This node. Never used again once its disk was lost. */
  readonly nodeId: RaftId;
  readonly events: RaftHostEvents;
  readonly timing?: Partial<GroupTiming>;
}

/** Election after 1 to 2 s of silence, heartbeats every 200 ms: calm up to 100 ms of round trip. */
const DEFAULT_TIMING: GroupTiming = {
  tickMs: 100,
  electionTicks: 10,
  heartbeatTicks: 2,
  slowWriteMs: 1000,
  keepEntries: 10_000,
  keepBytes: 64 * 1024 * 1024,
  snapshotIdleMs: 30_000,
};

export interface OpenGroupOptions {
  readonly groupId: number;
  readonly machine: StateMachine;
  /**
   * The group's first voters, the same on each, when this replica begins the group. Left out by one
   * that waits to be added; ignored once the replica has a log.
   */
  readonly bootstrap?: readonly RaftId[];
}

export class RaftHost implements RaftReceiver {
  readonly nodeId: RaftId;
  readonly #deps: RaftHostDeps;
  readonly #timing: GroupTiming;
  readonly #metrics: RaftMetrics;
  readonly #streams = new Semaphore(SNAPSHOT_STREAMS_MAX);
  readonly #groups = new Map<number, Group>();
  readonly #awake = new Set<Group>();
  #outbox = new Map<RaftId, Map<number, Uint8Array[]>>();
  #workPlanned = false;
  #timer: Timer | undefined;
  #ticks = 0;
  #state: "running" | "stopped" | "failed" = "running";

  constructor(deps: RaftHostDeps) {
    this.nodeId = deps.nodeId;
    this.#deps = deps;
    this.#timing = { ...DEFAULT_TIMING, ...deps.timing };
    this.#metrics = new RaftMetrics(deps.metrics);
    this.#planTick();
  }

  /**
   * Opens a replica from its log and state, or creates it. Throws "corrupt" when either lost what
   * it held: the replica must be rebuilt under a new node id. "exists" when it is open already.
   */
  async openGroup({ groupId, machine, bootstrap }: OpenGroupOptions): Promise<RaftGroup> {
    this.#assertRunning();
    if (this.#groups.has(groupId)) throw new StoreError("exists", `group ${groupId} is open`);
    const { core, log, clock, logger, sender, nodeId } = this.#deps;
    const group = new Group({
      groupId,
      nodeId,
      core,
      log,
      machine,
      clock,
      logger,
      metrics: this.#metrics,
      sender,
      streams: this.#streams,
      timing: this.#timing,
      wake: (one) => this.#wake(one),
      post: (to, id, message) => this.#post(to, id, message),
      leaderChanged: (one) => {
        this.#deps.events.leaderChanged?.(one.groupId, one.leader(), one.isLeader());
      },
      membersChanged: (id, members) => this.#deps.events.membersChanged?.(id, members),
      failed: (one, error) => this.#groupFailed(one, error),
      fatal: (error) => this.#fail(error),
    });
    this.#groups.set(groupId, group);
    try {
      await prepareGroup({ groupId, log, machine, ...(bootstrap ? { bootstrap } : {}) });
      this.#assertRunning();
      group.open();
    } catch (error) {
      this.#groups.delete(groupId);
      throw error;
    }
    return group;
  }

  group(groupId: number): RaftGroup | undefined {
    return this.#groups.get(groupId);
  }

  /** Closes a replica; its log and state stay. Resolves once nothing of it is running. */
  async closeGroup(groupId: number): Promise<void> {
    const group = this.#groups.get(groupId);
    if (group === undefined) return;
    this.#groups.delete(groupId);
    this.#awake.delete(group);
    const error = new StoreError("unavailable", "the replica was closed");
    if (this.#state === "failed") group.abandon(error);
    else group.close(error);
    await group.idle();
  }

  receive(_from: RaftId, envelopes: readonly Envelope[]): void {
    if (this.#state !== "running") return;
    let malformed: StoreError | undefined;
    this.#guarded(() => {
      for (const { groupId, messages } of envelopes) {
        try {
          this.#groups.get(groupId)?.step(messages);
        } catch (error) {
          if (!isStoreError(error, "corrupt")) throw error;
          malformed = error;
        }
      }
    });
    if (malformed !== undefined) throw malformed;
  }

  async receiveSnapshot(_from: RaftId, snapshot: IncomingSnapshot): Promise<void> {
    this.#assertRunning();
    const group = this.#groups.get(snapshot.groupId);
    if (group === undefined) {
      throw new StoreError("not-found", `group ${snapshot.groupId} is not open here`);
    }
    await group.receive(snapshot);
  }

  reportUnreachable(nodeId: RaftId): void {
    if (this.#state !== "running") return;
    this.#guarded(() => {
      for (const group of this.#groups.values()) group.unreachable(nodeId);
    });
  }

  /** Closes every replica. Resolves once nothing runs any more; log and states stay open. */
  async stop(): Promise<void> {
    if (this.#state === "running") this.#state = "stopped";
    this.#timer?.cancel();
    for (const groupId of [...this.#groups.keys()]) await this.closeGroup(groupId);
  }

  #planTick(): void {
    const { tickMs, leaderlessTickMs = tickMs } = this.#timing;
    const groups = [...this.#groups.values()];
    const isLeaderless = groups.some((group) => group.leader() === undefined);
    this.#timer = this.#deps.clock.after(isLeaderless ? leaderlessTickMs : tickMs, () => {
      if (this.#state !== "running") return;
      this.#ticks += 1;
      this.#guarded(() => {
        this.#deps.core.tickAll();
        for (const group of this.#groups.values()) group.tick(this.#ticks + group.groupId);
      });
      if (this.#state === "running") this.#planTick();
    });
  }

  #wake(group: Group): void {
    this.#awake.add(group);
    if (this.#workPlanned) return;
    this.#workPlanned = true;
    // Everything that happens in this turn is worked on together.
    queueMicrotask(() => {
      this.#workPlanned = false;
      if (this.#state === "running") this.#guarded(() => this.#work());
    });
  }

  #work(): void {
    const groups = [...this.#awake];
    this.#awake.clear();
    for (const group of groups) group.work();
    const outbox = this.#outbox;
    this.#outbox = new Map();
    for (const [to, messages] of outbox) {
      const envelopes = [...messages].map(([groupId, bytes]) => ({ groupId, messages: bytes }));
      this.#deps.sender.send(to, envelopes);
    }
  }

  #post(to: RaftId, groupId: number, message: Uint8Array): void {
    const groups = this.#outbox.get(to) ?? new Map<number, Uint8Array[]>();
    this.#outbox.set(to, groups);
    const messages = groups.get(groupId) ?? [];
    groups.set(groupId, messages);
    messages.push(message);
  }

  #groupFailed(group: Group, error: unknown): void {
    this.#awake.delete(group);
    this.#deps.logger.error("a Raft replica failed", error, { group: group.groupId });
    this.#deps.events.groupFailed?.(group.groupId, error);
  }

  /** What the core throws ends the node. */
  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    if (this.#state === "failed") return;
    this.#state = "failed";
    this.#timer?.cancel();
    this.#deps.logger.error("Raft stopped on this node", error);
    const reason = new StoreError("unavailable", "Raft stopped on this node", {
      cause: toStoreError(error),
    });
    for (const group of this.#groups.values()) group.abandon(reason);
    this.#deps.events.failed(error);
  }

  #assertRunning(): void {
    if (this.#state !== "running") throw new StoreError("unavailable", "Raft is not running");
  }
}
