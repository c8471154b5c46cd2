// The keeper: rounds of garbage collection, repair, orphan sweeping and stale-upload cleaning, each
// under a lease, each idempotent. Any number of keepers may run; stopping one at any instant loses
// nothing.
import { toHex } from "../lib/base/bytes.ts";
import { isStoreError } from "../lib/base/errors.ts";
import type { Counter, Gauge } from "../lib/ports/metrics.ts";
import type { KeeperDeps } from "./deps.ts";
import { collectGarbage } from "./garbage/collect-garbage.ts";
import { OrphanSweeper } from "./garbage/sweep-orphans.ts";
import { withLease } from "./leases.ts";
import { BadShardCollector } from "./repair/bad-shards.ts";
import { LostDiskSearch } from "./repair/lost-disk-search.ts";
import { RepairQueue } from "./repair/repair-queue.ts";
import { abortStaleUploads } from "./uploads/abort-stale-uploads.ts";

interface Task {
  readonly name: string;
  readonly intervalMs: number;
  readonly round: (signal: AbortSignal) => Promise<void>;
}

interface KeeperMetrics {
  readonly garbage: Counter;
  readonly orphans: Counter;
  readonly uploads: Counter;
  readonly rebuilt: Counter;
  readonly waiting: Gauge;
}

const HOLDER_BYTES = 8;

export class Keeper {
  readonly #deps: KeeperDeps;
  readonly #holder: string;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>[] = [];
  readonly #metrics: KeeperMetrics;
  readonly #repairs: RepairQueue;
  readonly #badShards: BadShardCollector;
  readonly #sweeper: OrphanSweeper;
  readonly #search: LostDiskSearch;
  readonly #waiting = new Map<number, number>();

  constructor(deps: KeeperDeps) {
    this.#deps = deps;
    this.#holder = toHex(deps.random.bytes(HOLDER_BYTES));
    this.#repairs = new RepairQueue(deps);
    this.#badShards = new BadShardCollector(deps);
    this.#sweeper = new OrphanSweeper(deps);
    this.#search = new LostDiskSearch(deps);
    const { metrics } = deps;
    this.#metrics = {
      garbage: metrics.counter("gc_deleted_shards_total", { help: "Shards deleted as garbage" }),
      orphans: metrics.counter("gc_deleted_orphans_total", { help: "Orphaned shards deleted" }),
      uploads: metrics.counter("stale_uploads_aborted_total", { help: "Stale uploads aborted" }),
      rebuilt: metrics.counter("repair_rebuilt_shards_total", { help: "Shards rebuilt" }),
      waiting: metrics.gauge("repair_queue_length", { help: "Chunks that wait for repair" }),
    };
  }

  /** Starts all tasks; returns at once. */
  start(): void {
    const { intervalMs, sweepIntervalMs } = this.#deps.config;
    const tasks: Task[] = [
      { name: "garbage", intervalMs, round: (signal) => this.#garbageRound(signal) },
      { name: "repair", intervalMs, round: (signal) => this.#repairRound(signal) },
      { name: "uploads", intervalMs: intervalMs * 5, round: (signal) => this.#uploads(signal) },
      { name: "orphans", intervalMs: sweepIntervalMs, round: (signal) => this.#orphans(signal) },
    ];
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
    const lease = { metadata, clock, log, holder: this.#holder, leaseMs: config.leaseMs };
    while (!signal.aborted) {
      try {
        await withLease(lease, `keeper/${task.name}`, task.round, signal);
      } catch (error) {
        if (!signal.aborted)
          log.warn("keeper task failed", { task: task.name, reason: String(error) });
      }
      await this.#pause(task.intervalMs);
    }
  }

  async #garbageRound(signal: AbortSignal): Promise<void> {
    for (const groupId of this.#deps.view.indexGroups()) {
      const deleted = await collectGarbage(this.#deps, groupId, signal);
      this.#metrics.garbage.increment({}, deleted);
    }
  }

  async #repairRound(signal: AbortSignal): Promise<void> {
    await this.#deps.view.refresh();
    const groups = this.#deps.view.indexGroups();
    await this.#badShards.collect(groups, signal);
    for (const groupId of groups) {
      await this.#search.round(groupId, signal);
      const round = await this.#repairs.work(groupId, signal);
      this.#metrics.rebuilt.increment({}, round.rebuiltShards);
      this.#waiting.set(groupId, round.waitingChunks);
      if (round.repairedChunks > 0) this.#deps.log.info("chunks repaired", { groupId, ...round });
    }
    const waiting = [...this.#waiting.values()].reduce((sum, count) => sum + count, 0);
    this.#metrics.waiting.set(waiting);
  }

  async #uploads(signal: AbortSignal): Promise<void> {
    for (const groupId of this.#deps.view.indexGroups()) {
      const aborted = await abortStaleUploads(this.#deps, groupId, signal);
      this.#metrics.uploads.increment({}, aborted);
    }
  }

  async #orphans(signal: AbortSignal): Promise<void> {
    this.#metrics.orphans.increment({}, await this.#sweeper.sweep(signal));
  }

  /** What `status` shows of this keeper, as JSON. */
  details(): string {
    return JSON.stringify({
      searchedDisks: this.#search.searchedDisks(),
      waitingRepairs: Object.fromEntries(this.#waiting),
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
