// The keeper: garbage collection, repair, orphan sweeping, stale uploads, lifecycle rules, buckets
// whose groups are behind, notifications, replication and access logs. Each task is done in rounds
// under a lease, each is idempotent. Any number of keepers may run; stopping one at any instant
// loses nothing.
import { toHex } from "../lib/base/bytes.ts";
import { isStoreError } from "../lib/base/errors.ts";
import { BucketCatalog } from "./buckets/bucket-catalog.ts";
import { BucketReconciler } from "./buckets/reconcile-buckets.ts";
import type { KeeperDeps } from "./deps.ts";
import { FollowTask } from "./follow/follow-task.ts";
import { collectGarbage } from "./garbage/collect-garbage.ts";
import { OrphanSweeper } from "./garbage/sweep-orphans.ts";
import { type KeeperMetrics, keeperMetrics } from "./keeper-metrics.ts";
import { type HeldLease, TaskLease } from "./leases.ts";
import { LifecycleTask } from "./lifecycle/lifecycle-task.ts";
import { type LogMetrics, logMetrics } from "./logs/log-metrics.ts";
import { type NotifyMetrics, notifyMetrics } from "./notify/notify-metrics.ts";
import { OutboxSession } from "./outbox/outbox-session.ts";
import { splitRanges } from "./ranges/split-ranges.ts";
import { RebalanceTask } from "./rebalance/rebalance-task.ts";
import { BadShardCollector } from "./repair/bad-shards.ts";
import { LostDiskSearch } from "./repair/lost-disk-search.ts";
import { RepairQueue } from "./repair/repair-queue.ts";
import { ExistingVersions } from "./replicate/existing-versions.ts";
import { type ReplicationMetrics, replicationMetrics } from "./replicate/replication-metrics.ts";
import { abortStaleUploads } from "./uploads/abort-stale-uploads.ts";
import { CanaryTask } from "./verify/canary-task.ts";
import { DayCount } from "./verify/day-count.ts";
import { DoubtfulDisks } from "./verify/doubtful-disks.ts";
import { ManifestAudit } from "./verify/manifest-audit.ts";
import { ReadBackTask } from "./verify/read-back-task.ts";

interface Task {
  readonly name: string;
  readonly intervalMs: number;
  readonly round: (signal: AbortSignal, lease: HeldLease) => Promise<void>;
}

const HOLDER_BYTES = 8;
/** A task that is seldom due looks this often whether it is. */
const LOOK_MS_MAX = 60_000;
/** Disks are seldom in doubt: they are asked so often, whatever the pause of other tasks. */
const DOUBTS_MS = 5000;

export class Keeper {
  readonly #deps: KeeperDeps;
  readonly #holder: string;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>[] = [];
  readonly #metrics: KeeperMetrics;
  readonly #notifyMetrics: NotifyMetrics;
  readonly #logMetrics: LogMetrics;
  readonly #replicationMetrics: ReplicationMetrics;
  readonly #catalog: BucketCatalog;
  readonly #reconciler: BucketReconciler;
  readonly #lifecycle: LifecycleTask;
  readonly #repairs: RepairQueue;
  readonly #follow: FollowTask;
  readonly #badShards: BadShardCollector;
  readonly #sweeper: OrphanSweeper;
  readonly #audit: ManifestAudit;
  readonly #doubts: DoubtfulDisks;
  readonly #canary: CanaryTask;
  readonly #readBack: ReadBackTask;
  readonly #trash: DayCount;
  readonly #search: LostDiskSearch;
  readonly #existing: ExistingVersions;
  readonly #rebalance: RebalanceTask;
  #waiting = 0;
  /** Asked for by an operator: the last that was begun, and the last that is done. */
  #repairPass = 0;
  #repairPassDone = 0;

  constructor(deps: KeeperDeps) {
    this.#deps = deps;
    this.#holder = toHex(deps.random.bytes(HOLDER_BYTES));
    this.#catalog = new BucketCatalog(deps);
    this.#reconciler = new BucketReconciler(deps, this.#catalog);
    this.#lifecycle = new LifecycleTask(deps, this.#catalog);
    this.#repairs = new RepairQueue(deps);
    this.#follow = new FollowTask(deps);
    this.#badShards = new BadShardCollector(deps);
    this.#sweeper = new OrphanSweeper(deps);
    this.#audit = new ManifestAudit(deps);
    this.#doubts = new DoubtfulDisks(deps);
    this.#canary = new CanaryTask(deps);
    this.#readBack = new ReadBackTask(deps, this.#catalog);
    this.#trash = new DayCount(deps.clock);
    this.#search = new LostDiskSearch(deps);
    this.#rebalance = new RebalanceTask(deps);
    this.#metrics = keeperMetrics(deps.metrics);
    this.#notifyMetrics = notifyMetrics(deps.metrics);
    this.#logMetrics = logMetrics(deps.metrics);
    this.#existing = new ExistingVersions(deps, this.#catalog);
    this.#replicationMetrics = replicationMetrics(deps.metrics);
  }

  /** Starts all tasks; returns at once. */
  start(): void {
    const { config, lifecycle, notify, replication } = this.#deps;
    const { intervalMs, sweepIntervalMs, reconcileIntervalMs } = config;
    const lifecycleMs = Math.min(lifecycle.intervalMs, LOOK_MS_MAX);
    const tasks: Task[] = [
      { name: "garbage", intervalMs, round: (signal) => this.#garbageRound(signal) },
      { name: "repair", intervalMs, round: (signal) => this.#repairRound(signal) },
      { name: "follow", intervalMs, round: (signal) => this.#followRound(signal) },
      {
        name: "rebalance",
        intervalMs: intervalMs * 2,
        round: (signal, lease) => this.#rebalance.round(signal, lease),
      },
      { name: "uploads", intervalMs: intervalMs * 5, round: (signal) => this.#uploads(signal) },
      { name: "orphans", intervalMs: sweepIntervalMs, round: (signal) => this.#orphans(signal) },
      {
        name: "verify",
        intervalMs: Math.min(config.verifyIntervalMs, LOOK_MS_MAX),
        round: (signal, lease) => this.#audit.round(signal, lease),
      },
      { name: "doubts", intervalMs: DOUBTS_MS, round: (signal) => this.#doubts.round(signal) },
      {
        name: "read-back",
        intervalMs: config.verifyReadBackMs,
        round: (signal) => this.#readBack.round(signal),
      },
      {
        name: "reconcile",
        intervalMs: reconcileIntervalMs,
        round: (signal) => this.#reconcile(signal),
      },
      {
        name: "lifecycle",
        intervalMs: lifecycleMs,
        round: (signal, lease) => this.#lifecycle.round(signal, lease),
      },
      { name: "outbox", intervalMs: notify.pollMs, round: (signal) => this.#outbox(signal) },
      {
        name: "replication",
        intervalMs: replication.existingIntervalMs,
        round: (signal) => this.#replication(signal),
      },
    ];
    if (config.rangeSplitBytes > 0) {
      const round = (signal: AbortSignal): Promise<void> => this.#ranges(signal);
      tasks.push({ name: "ranges", intervalMs: config.rangeIntervalMs, round });
    }
    const { canaryIntervalMs } = config;
    if (canaryIntervalMs > 0) {
      const round = (signal: AbortSignal): Promise<void> => this.#canary.round(signal);
      tasks.push({ name: "canary", intervalMs: canaryIntervalMs, round });
    }
    for (const task of tasks) this.#running.push(this.#loop(task));
  }

  /** Stops all tasks; resolves when the last one has let go. */
  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#running);
  }

  async #loop(task: Task): Promise<void> {
    const { clock, log, metadata, config } = this.#deps;
    const { signal } = this.#stop;
    const { leaseMs } = config;
    const deps = { metadata, clock, log, holder: this.#holder, leaseMs };
    const lease = new TaskLease(deps, `keeper/${task.name}`);
    // One that would run out before the next round, or soon after, is for others meanwhile.
    const keepsLease = task.intervalMs * 2 <= leaseMs;
    while (!signal.aborted) {
      let pauseMs = task.intervalMs;
      try {
        const isOurs = await lease.run(task.round, signal);
        if (!keepsLease) await lease.release();
        // Another keeper does it: asking often would only fill the root group's log.
        if (!isOurs) pauseMs = Math.max(pauseMs, leaseMs / 2);
      } catch (error) {
        if (!signal.aborted) {
          this.#metrics.failures.increment({ task: task.name });
          log.warn("keeper task failed", { task: task.name, reason: String(error) });
        }
      }
      await this.#pause(pauseMs);
    }
    await lease.release();
  }

  async #garbageRound(signal: AbortSignal): Promise<void> {
    for (const groupId of this.#deps.view.indexGroups()) {
      const deps = { ...this.#deps, trash: this.#trash };
      const deleted = await collectGarbage(deps, groupId, signal);
      this.#metrics.garbage.increment({}, deleted);
    }
  }

  async #repairRound(signal: AbortSignal): Promise<void> {
    await this.#deps.view.refresh();
    const groups = this.#deps.view.indexGroups();
    const pass = this.#beginPass();
    await this.#badShards.collect(groups, signal);
    for (const groupId of groups) await this.#search.round(groupId, signal);
    const round = await this.#repairs.work(groups, signal);
    this.#metrics.rebuilt.increment({}, round.rebuiltShards);
    this.#waiting = round.waitingChunks;
    if (round.repairedChunks > 0) this.#deps.log.info("chunks repaired", { ...round });
    this.#metrics.rebuiltBytes.increment({}, round.rebuiltBytes);
    this.#metrics.waiting.set(this.#waiting);
    this.#metrics.oldest.set(this.#secondsSince(round.oldestMs));
    if (!signal.aborted) this.#repairPassDone = pass;
  }

  #secondsSince(ms: number | undefined): number {
    return ms === undefined ? 0 : Math.max(0, this.#deps.clock.wallMs() - ms) / 1000;
  }

  /** An operator's pass looks at all anew: lost disks, bad shards, what waits to be tried. */
  #beginPass(): number {
    const asked = this.#deps.view.repairPass();
    if (asked === this.#repairPass) return asked;
    this.#repairPass = asked;
    this.#badShards.restart();
    this.#search.restart();
    this.#repairs.restart();
    return asked;
  }

  async #followRound(signal: AbortSignal): Promise<void> {
    await this.#deps.view.refresh();
    const round = await this.#follow.round(this.#deps.view.indexGroups(), signal);
    if (round.bodies > 0) this.#deps.log.info("bodies followed their policy", { ...round });
  }

  async #uploads(signal: AbortSignal): Promise<void> {
    for (const groupId of this.#deps.view.indexGroups()) {
      const { aborted, failed } = await abortStaleUploads(this.#deps, groupId, signal);
      this.#metrics.uploads.increment({}, aborted);
      this.#metrics.uploadFailures.increment({}, failed);
    }
  }

  async #orphans(signal: AbortSignal): Promise<void> {
    this.#metrics.orphans.increment({}, await this.#sweeper.sweep(signal));
  }

  async #reconcile(signal: AbortSignal): Promise<void> {
    this.#metrics.reconciled.increment({}, await this.#reconciler.round(signal));
  }

  async #ranges(signal: AbortSignal): Promise<void> {
    this.#metrics.cuts.increment({}, await splitRanges(this.#deps, this.#catalog, signal));
  }

  async #replication(signal: AbortSignal): Promise<void> {
    this.#replicationMetrics.begun.increment({}, await this.#existing.round(signal));
  }

  /** Goes on for as long as the lease is held. */
  async #outbox(signal: AbortSignal): Promise<void> {
    const session = new OutboxSession({
      deps: this.#deps,
      catalog: this.#catalog,
      notifyMetrics: this.#notifyMetrics,
      logMetrics: this.#logMetrics,
      replicationMetrics: this.#replicationMetrics,
    });
    await session.run(signal);
  }

  /** What `status` shows of this keeper, as JSON. */
  details(): string {
    return JSON.stringify({
      searchedDisks: this.#search.searchedDisks(),
      waitingRepairs: this.#waiting,
      repairPassDone: this.#repairPassDone,
      rebalance: this.#rebalance.report(),
      verified: {
        shards: this.#audit.report,
        orphans: this.#sweeper.report,
        readBack: this.#readBack.report,
        trash: this.#trash.report,
        canary: this.#canary.report,
      },
    });
  }

  async #pause(ms: number): Promise<void> {
    try {
      await this.#deps.clock.sleep(ms, this.#stop.signal);
    } catch (error) {
      if (!isStoreError(error, "aborted")) throw error;
    }
  }
}
