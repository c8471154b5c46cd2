// The working parts of one opening of a replica: state driver, persist queue, snapshot sender, log
// cutter. A replica that opens anew gets new parts; callbacks of the old ones are dropped here.
import type { AppliedMembers, RaftId, Ready } from "./core.ts";
import type { GroupDeps } from "./group-deps.ts";
import { LogCutter } from "./log-cutter.ts";
import { PersistQueue } from "./persist-queue.ts";
import { SnapshotSender } from "./snapshot-sender.ts";
import { type AppliedEntry, StateDriver } from "./state-driver.ts";
import type { StateSnapshot } from "./types.ts";

export interface PartEvents {
  readonly applied: (results: readonly AppliedEntry[]) => void;
  readonly membersApplied: (members: AppliedMembers) => void;
  readonly persisted: (readys: readonly Ready[]) => void;
  readonly restore: (ready: Ready) => Promise<void>;
  readonly restoreFailed: (error: unknown) => void;
  readonly noSpace: (full: boolean) => void;
  readonly offer: (snapshot: StateSnapshot | undefined) => void;
  readonly reportSnapshot: (to: RaftId, delivered: boolean) => void;
  /** Only this replica is hurt. */
  readonly stateFailed: (error: unknown) => void;
  /** The log or the core, and so the node. */
  readonly nodeFailed: (error: unknown) => void;
}

export class GroupParts {
  readonly state: StateDriver;
  readonly persist: PersistQueue;
  readonly snapshots: SnapshotSender;
  readonly cutter: LogCutter;
  #closed = false;

  constructor(deps: GroupDeps, events: PartEvents) {
    const { groupId, core, log, clock, timing, machine, logger } = deps;
    this.state = new StateDriver({
      machine,
      applyMembers: (data) => core.applyMembers(groupId, data),
      membersApplied: (members) => this.#run(events, () => events.membersApplied(members)),
      applied: (results) => this.#run(events, () => events.applied(results)),
      failed: (error) => this.#run(events, () => events.stateFailed(error)),
    });
    this.persist = new PersistQueue({
      groupId,
      log,
      nowMs: () => clock.monotonicMs(),
      restore: events.restore,
      persisted: (readys) => this.#run(events, () => events.persisted(readys)),
      noSpace: (full) => this.#run(events, () => events.noSpace(full)),
      pause: () => clock.sleep(timing.tickMs),
      restoreFailed: (error) => this.#run(events, () => events.restoreFailed(error)),
      failed: (error) => this.#run(events, () => events.nodeFailed(error)),
    });
    this.snapshots = this.#newSnapshots(deps, events);
    this.cutter = new LogCutter({
      groupId,
      log,
      core,
      logger,
      keepEntries: timing.keepEntries,
      keepBytes: timing.keepBytes,
      flush: () => this.state.flush(),
      heldIndex: () => this.snapshots.heldIndex,
      stateFailed: (error) => this.#run(events, () => events.stateFailed(error)),
      logFailed: (error) => this.#run(events, () => events.nodeFailed(error)),
    });
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Starts nothing more and reports nothing more; what runs on disk may end. */
  close(): void {
    this.#closed = true;
    this.persist.close();
    this.state.close();
    this.snapshots.close();
    this.cutter.close();
  }

  async idle(): Promise<void> {
    await this.persist.idle();
    await this.state.idle();
  }

  #newSnapshots(deps: GroupDeps, events: PartEvents): SnapshotSender {
    const { groupId, sender, streams, timing, metrics, clock } = deps;
    return new SnapshotSender({
      groupId,
      sender,
      streams,
      idleMs: timing.snapshotIdleMs,
      nowMs: () => clock.monotonicMs(),
      freeze: () => this.state.freeze(),
      offer: (snapshot) => this.#run(events, () => events.offer(snapshot)),
      report: (to, delivered) => this.#run(events, () => events.reportSnapshot(to, delivered)),
      failed: (error) => this.#run(events, () => events.stateFailed(error)),
      observe: (seconds, delivered) => {
        const result = delivered ? "delivered" : "failed";
        metrics.snapshotSeconds.observe(seconds, { group: String(groupId), result });
      },
    });
  }

  /** What a callback throws comes from the core, which does not survive it. */
  #run(events: PartEvents, work: () => void): void {
    if (this.#closed) return;
    try {
      work();
    } catch (error) {
      events.nodeFailed(error);
    }
  }
}
