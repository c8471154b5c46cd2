// One replica of one group: takes calls from the service, carries out what the core asks for, in
// the order that makes it safe. Entries and hard state are durable before any message that implies
// them; a proposal is answered after it is applied here; a read after the state has reached its
// read index.
import { present } from "../base/assert.ts";
import { isStoreError, StoreError, toStoreError } from "../base/errors.ts";
import { decodeConfState, isOnlyVoter } from "./conf-state.ts";
import type {
  AppliedMembers,
  EntryFetch,
  GroupStatus,
  MemberChange,
  OutgoingMessage,
  RaftId,
  RaftRole,
  Ready,
  SoftState,
} from "./core.ts";
import { type GroupDeps, PROPOSAL_BYTES_MAX } from "./group-deps.ts";
import { GroupParts } from "./group-parts.ts";
import { groupStatus, sharedIndex } from "./group-status.ts";
import { IncomingSnapshots } from "./incoming-snapshot.ts";
import { LoneReads } from "./lone-reads.ts";
import { groupOptions, prepareGroup } from "./open-group.ts";
import { Proposals } from "./proposals.ts";
import { ReadBarriers } from "./read-barriers.ts";
import { notLeader, refusal } from "./refusals.ts";
import type { AppliedEntry } from "./state-driver.ts";
import { StepAside } from "./step-aside.ts";
import { TransferWaits } from "./transfer-waits.ts";
import type {
  CallLimits,
  IncomingSnapshot,
  LogCut,
  ProposeResponse,
  RaftGroup,
  RaftGroupStatus,
  StateSnapshot,
} from "./types.ts";

/** Ticks between looks at the log's length and the metrics. */
const HOUSEKEEPING_TICKS = 10;

export class Group implements RaftGroup {
  readonly groupId: number;
  readonly #deps: GroupDeps;
  readonly #proposals = new Proposals();
  readonly #reads: ReadBarriers;
  readonly #lone = new LoneReads();
  readonly #transfers = new TransferWaits();
  readonly #aside: StepAside;
  readonly #incoming = new IncomingSnapshots();
  #parts: GroupParts;
  #open = false;
  #leader: RaftId = 0;
  #role: RaftRole = "follower";
  #full = false;
  #stopped = false;
  #failure: StoreError | undefined;
  #lastStatus: GroupStatus | undefined;

  constructor(deps: GroupDeps) {
    this.groupId = deps.groupId;
    this.#deps = deps;
    const { heartbeatTicks, tickMs, slowWriteMs } = deps.timing;
    this.#aside = new StepAside({ ...deps, stallMs: slowWriteMs });
    this.#reads = new ReadBarriers(heartbeatTicks * 2 * tickMs);
    this.#parts = this.#newParts();
  }

  /** Opens the core's group from what is durable; after `prepareGroup`. */
  open(): void {
    const { core, log, machine, nodeId, groupId, timing } = this.#deps;
    const { electionTicks, heartbeatTicks } = timing;
    const options = groupOptions(
      { groupId, log, machine },
      { nodeId, electionTicks, heartbeatTicks },
    );
    core.openGroup(options);
    this.#open = true;
    const { voters } = options.confState;
    if (voters.length === 1 && voters[0] === nodeId) core.campaign(groupId);
    this.#deps.wake(this);
  }

  isLeader(): boolean {
    return this.#open && this.#role === "leader";
  }

  leader(): RaftId | undefined {
    return this.#leader === 0 ? undefined : this.#leader;
  }

  async propose(data: Uint8Array, limits: CallLimits): Promise<ProposeResponse> {
    if (data.byteLength === 0 || data.byteLength > PROPOSAL_BYTES_MAX) {
      throw new StoreError("invalid", `a proposal of ${data.byteLength} bytes`);
    }
    this.#assertLeading();
    if (this.#full) throw new StoreError("no-space", "the disk of the Raft log is full");
    const answer = this.#proposals.add(data, limits, this.#nowMs());
    this.#deps.wake(this);
    return this.#counted(answer);
  }

  async readBarrier(limits: CallLimits): Promise<void> {
    this.#assertOpen();
    if (this.#lone.mayRead && limits.signal?.aborted !== true) return;
    const { era } = this.#lone;
    const startedMs = this.#nowMs();
    const reached = this.#reads.add(limits, startedMs);
    this.#deps.wake(this);
    await reached;
    this.#lone.reached(era, () => this.isLeader() && isOnlyVoter(this.#deps));
    const seconds = (this.#nowMs() - startedMs) / 1000;
    this.#deps.metrics.readSeconds.observe(seconds, this.#labels());
  }

  async changeMembers(changes: readonly MemberChange[], limits: CallLimits): Promise<void> {
    this.#assertLeading();
    const proposal = { changes, context: new Uint8Array(0) };
    const result = this.#deps.core.proposeMembers(this.groupId, proposal);
    this.#deps.wake(this);
    if (result.kind !== "appended") throw refusal(result);
    const place = { index: result.firstIndex, term: result.term };
    await this.#counted(this.#proposals.addMembers(place, limits, this.#nowMs()));
  }

  async transferLeadership(to: RaftId, limits: CallLimits): Promise<void> {
    this.#assertLeading();
    if (to === this.#deps.nodeId) return;
    if (!this.#deps.core.transferLeader(this.groupId, to)) {
      throw new StoreError("invalid", `node ${to} is not another voter`);
    }
    this.#deps.wake(this);
    await this.#transfers.add(to, this.#nowMs() + limits.deadlineMs);
  }

  async cutLog(upToIndex: number | undefined): Promise<LogCut> {
    this.#assertOpen();
    if (upToIndex !== undefined) return this.#parts.cutter.cutNow(() => upToIndex);
    this.#assertLeading();
    return this.#parts.cutter.cutNow(() => (this.isLeader() ? sharedIndex(this.status()) : 0));
  }

  status(): RaftGroupStatus {
    const { core, log, nodeId, machine } = this.#deps;
    if (this.#open) this.#lastStatus = core.status(this.groupId);
    return groupStatus({
      groupId: this.groupId,
      nodeId,
      status: this.#lastStatus,
      appliedIndex: machine.appliedIndex,
      logStartIndex: log.size(this.groupId).startIndex,
      failure: this.#failure?.message,
    });
  }

  /** Gives the core what was gathered, and takes its Readys until there are none. */
  work(): void {
    if (!this.#open) return;
    const { core } = this.#deps;
    this.#appendProposals();
    this.#reads.flush((context) => core.readIndex(this.groupId, context), this.#nowMs());
    while (this.#open) {
      const ready = core.ready(this.groupId);
      if (ready === undefined) return;
      this.#take(ready);
    }
  }

  step(messages: readonly Uint8Array[]): void {
    if (!this.#open) return;
    const { ignored, damage } = this.#deps.core.step(this.groupId, messages);
    if (ignored > 0) this.#deps.metrics.droppedMessages.increment(this.#labels(), ignored);
    if (damage !== undefined) this.fail(new StoreError("corrupt", damage));
    else this.#deps.wake(this);
  }

  /** Resolves once the state is in place, or the core had no use for it. */
  async receive(snapshot: IncomingSnapshot): Promise<void> {
    this.#assertOpen();
    const arrival = this.#incoming.begin(snapshot);
    try {
      this.step([snapshot.message]);
      this.work();
      await arrival.settled();
    } finally {
      this.#incoming.end(arrival);
    }
  }

  unreachable(nodeId: RaftId): void {
    if (!this.isLeader()) return;
    this.#deps.core.reportUnreachable(this.groupId, nodeId);
    this.#deps.wake(this);
  }

  /** Time has passed; the core's own tick is the host's. `count` numbers the ticks. */
  tick(count: number): void {
    if (!this.#open) return;
    const nowMs = this.#nowMs();
    this.#proposals.expire(nowMs);
    this.#reads.expire(nowMs);
    this.#transfers.expire(nowMs);
    this.#parts.snapshots.expire();
    if (this.isLeader()) {
      const { writingSinceMs: since } = this.#parts.persist;
      const writingMs = since === undefined ? undefined : nowMs - since;
      this.#aside.check(nowMs, { isFull: this.#full, writingMs });
    }
    if (count % HOUSEKEEPING_TICKS === 0) {
      this.#parts.cutter.check();
      this.#deps.metrics.observe(this.status(), this.#proposals.pending);
    }
    this.#deps.wake(this);
  }

  /** Takes part no more. What runs on disk may end; nothing of it is reported. */
  close(error: StoreError): void {
    if (this.#open) {
      this.#lastStatus = this.#deps.core.status(this.groupId);
      this.#deps.core.closeGroup(this.groupId);
    }
    this.abandon(error);
  }

  /** As `close`, when the core itself may be dead. */
  abandon(error: StoreError): void {
    this.#stopped = true;
    this.#leave(error);
    this.#proposals.close(error);
    this.#reads.close(error);
    this.#transfers.close(error);
  }

  /** Ends this replica for good, for the reason given. */
  fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = toStoreError(error, "internal");
    try {
      this.close(new StoreError("unavailable", "the replica failed", { cause: error }));
    } catch (coreError) {
      this.#deps.fatal(coreError);
      return;
    }
    this.#deps.failed(this, error);
  }

  /** Resolves once nothing of this replica touches log or state any more; after `close`. */
  async idle(): Promise<void> {
    await this.#parts.idle();
  }

  #leave(error: StoreError): void {
    const led = this.#leader !== 0;
    this.#open = false;
    this.#leader = 0;
    this.#role = "follower";
    this.#lone.changed();
    this.#full = false;
    this.#parts.close();
    this.#incoming.fail(error);
    if (led) this.#deps.leaderChanged(this);
  }

  #appendProposals(): void {
    // While a write runs and another waits, more proposals gather for one larger append.
    if (this.#proposals.queued === 0 || this.#parts.persist.queued > 0 || !this.isLeader()) return;
    const taken = this.#proposals.take();
    if (taken.length === 0) return;
    const datas = taken.map((proposal) => proposal.data);
    const result = this.#deps.core.propose(this.groupId, datas);
    if (result.kind === "appended") {
      this.#proposals.appended(taken, result.firstIndex, result.term);
    } else {
      this.#proposals.refuse(taken, refusal(result));
    }
  }

  #take(ready: Ready): void {
    if (ready.softState !== undefined) this.#softState(ready.softState);
    this.#post(ready.messages);
    if (ready.snapshot !== undefined) this.#incoming.accept(ready.snapshot);
    for (const { context, index } of ready.readStates) {
      this.#reads.answered(context, index, this.#parts.state.appliedIndex);
    }
    for (const fetch of ready.entryFetches) this.#fetch(fetch);
    for (const request of ready.snapshotRequests) this.#parts.snapshots.request(request);
    this.#parts.state.push(ready.committedEntries);
    this.#parts.persist.push(ready);
  }

  #post(messages: readonly OutgoingMessage[]): void {
    for (const message of messages) {
      if (message.kind === "snapshot") this.#parts.snapshots.send(message);
      else this.#deps.post(message.to, this.groupId, message.bytes);
    }
  }

  #softState({ leader, role }: SoftState): void {
    const led = this.#role === "leader";
    const known = leader !== 0;
    if (known && leader !== this.#leader) {
      this.#deps.metrics.leaderChanges.increment(this.#labels());
    }
    this.#leader = leader;
    this.#role = role;
    this.#lone.changed();
    if (led && role !== "leader") {
      this.#proposals.refuseQueued(notLeader(leader));
      const { electionTicks, tickMs } = this.#deps.timing;
      this.#proposals.hurry(this.#nowMs() + electionTicks * tickMs);
    }
    if (known && leader !== this.#deps.nodeId) this.#transfers.leads(leader);
    this.#deps.leaderChanged(this);
  }

  #fetch({ token, firstIndex, lastIndex, bytesMax }: EntryFetch): void {
    const parts = this.#parts;
    const { groupId, log, core } = this.#deps;
    log
      .entries({ groupId, firstIndex, lastIndex, bytesMax })
      .catch((error: unknown) => {
        // Cut meanwhile: the core turns to a snapshot.
        if (isStoreError(error, "not-found")) return [];
        throw error;
      })
      .then((entries) => {
        if (parts.closed) return;
        core.provideEntries(groupId, token, entries);
        this.#deps.wake(this);
      })
      .catch((error: unknown) => {
        if (parts.closed) return;
        if (error instanceof StoreError) this.fail(error);
        else this.#deps.fatal(error);
      });
  }

  #persisted(readys: readonly Ready[]): void {
    const last = present(readys.at(-1), "a Ready");
    this.#deps.core.onPersisted(this.groupId, last.number);
    for (const ready of readys) this.#post(ready.persistedMessages);
    this.#deps.wake(this);
  }

  #applied(results: readonly AppliedEntry[]): void {
    const last = present(results.at(-1), "an applied entry");
    this.#deps.core.onApplied(this.groupId, last.index);
    for (const { index, term, reply } of results) this.#proposals.applied(index, term, reply);
    this.#reads.applied(last.index);
    this.#parts.snapshots.advanced(last.index);
    this.#deps.wake(this);
  }

  #membersApplied(members: AppliedMembers): void {
    this.#lone.changed();
    this.#parts.snapshots.membersChanged();
    this.#deps.membersChanged(this.groupId, members.confState);
  }

  /**
   * State and log change over to the snapshot; a crash between is finished by `prepareGroup`.
   * Throws "unavailable" while nothing has changed.
   */
  async #restore(ready: Ready): Promise<void> {
    const { log, groupId, machine, logger } = this.#deps;
    const parts = this.#parts;
    const arrival = this.#incoming.accepted;
    const { index, term } = present(ready.snapshot, "a snapshot");
    if (arrival === undefined) {
      throw new StoreError("unavailable", "a snapshot was announced without its state");
    }
    await log.append([{ groupId, restoring: { index, term } }]);
    try {
      await parts.state.restore(arrival.point(), arrival.chunks());
    } catch (error) {
      throw new StoreError("unavailable", "the state was not taken over", { cause: error });
    }
    const { entries, hardState } = ready;
    const write = { groupId, start: { index, term }, entries };
    await log.append([hardState === undefined ? write : { ...write, hardState }]);
    if (parts.closed) return;
    this.#proposals.skipped(index);
    this.#reads.applied(index);
    arrival.succeed();
    logger.info("took over a snapshot", { group: groupId, index });
    this.#deps.membersChanged(groupId, decodeConfState(machine.confState()));
  }

  #restoreFailed(error: unknown): void {
    const harmless = isStoreError(error, "unavailable") || isStoreError(error, "no-space");
    if (!harmless) {
      this.#deps.fatal(error);
      return;
    }
    const { core, logger, groupId } = this.#deps;
    logger.warn("a snapshot could not be taken over", { group: groupId, reason: String(error) });
    core.closeGroup(groupId);
    this.#leave(toStoreError(error));
    const left = this.#parts;
    this.#reopen(left).catch((reason: unknown) => {
      if (this.#parts !== left) return;
      if (isStoreError(reason, "corrupt")) this.fail(reason);
      else this.#deps.fatal(reason);
    });
  }

  /** State and log are durable and agree; the core believed otherwise, so it begins anew. */
  async #reopen(left: GroupParts): Promise<void> {
    const { groupId, log, machine, clock, timing } = this.#deps;
    await left.idle();
    for (;;) {
      try {
        await prepareGroup({ groupId, log, machine });
        break;
      } catch (error) {
        if (!isStoreError(error, "no-space")) throw error;
        await clock.sleep(timing.tickMs);
      }
    }
    if (this.#stopped || this.#parts !== left) return;
    this.#parts = this.#newParts();
    this.open();
  }

  #newParts(): GroupParts {
    const { core } = this.#deps;
    return new GroupParts(this.#deps, {
      applied: (results) => this.#applied(results),
      membersApplied: (members) => this.#membersApplied(members),
      persisted: (readys) => this.#persisted(readys),
      restore: (ready) => this.#restore(ready),
      restoreFailed: (error) => this.#restoreFailed(error),
      noSpace: (full) => this.#noSpace(full),
      offer: (snapshot) => this.#offer(snapshot),
      reportSnapshot: (to, delivered) => {
        core.reportSnapshot(this.groupId, to, delivered);
        this.#deps.wake(this);
      },
      stateFailed: (error) => this.fail(error),
      nodeFailed: (error) => this.#deps.fatal(error),
    });
  }

  #noSpace(full: boolean): void {
    if (full === this.#full) return;
    this.#full = full;
    const message = full ? "no room for the Raft log" : "room for the Raft log again";
    this.#deps.logger.warn(message, { group: this.groupId });
  }

  #offer(snapshot: StateSnapshot | undefined): void {
    const { core } = this.#deps;
    if (snapshot === undefined) {
      core.offerSnapshot(this.groupId, undefined);
    } else if (snapshot.index < this.#parts.cutter.cutIndex) {
      // The log was cut beyond it while it was made.
      const minIndex = this.#parts.cutter.cutIndex;
      this.#parts.snapshots.request({ to: 0, minIndex });
    } else {
      const confState = decodeConfState(snapshot.confState);
      const context = new Uint8Array(0);
      core.offerSnapshot(this.groupId, { index: snapshot.index, confState, context });
    }
    this.#deps.wake(this);
  }

  async #counted(answer: Promise<ProposeResponse>): Promise<ProposeResponse> {
    let result = "applied";
    try {
      return await answer;
    } catch (error) {
      result = toStoreError(error).code;
      throw error;
    } finally {
      this.#deps.metrics.proposals.increment({ ...this.#labels(), result });
    }
  }

  #assertOpen(): void {
    if (this.#failure !== undefined) {
      throw new StoreError("unavailable", "the replica failed", { cause: this.#failure });
    }
    if (!this.#open) throw new StoreError("unavailable", "the replica is not open");
  }

  #assertLeading(): void {
    this.#assertOpen();
    if (!this.isLeader()) throw notLeader(this.#leader);
  }

  #labels(): { readonly group: string } {
    return { group: String(this.groupId) };
  }

  #nowMs(): number {
    return this.#deps.clock.monotonicMs();
  }
}
