// Carries the outboxes of all index groups out, for as long as this keeper holds the lease. The
// router reads every entry once: log lines go to the collector, an event that nobody wants is
// finished at once, every other one waits until all its targets have passed it. What a session
// knows lives as long as it: the next one begins with what is not finished.
import { toSafeNumber } from "../../lib/base/bytes.ts";
import { isStoreError } from "../../lib/base/errors.ts";
import type { OutboxEntry } from "../../lib/gen/dolium/record/v1/group_pb.ts";
import type { BucketCatalog } from "../buckets/bucket-catalog.ts";
import type { KeeperDeps } from "../deps.ts";
import { LogCollector } from "../logs/log-collector.ts";
import type { LogMetrics } from "../logs/log-metrics.ts";
import { DeliveryProgress } from "../notify/delivery-progress.ts";
import { destinationArn, NotificationRules } from "../notify/notification-rules.ts";
import type { NotifyMetrics } from "../notify/notify-metrics.ts";
import { TargetWorker } from "../notify/target-worker.ts";
import type { ReplicationMetrics } from "../replicate/replication-metrics.ts";
import { ReplicationWorker } from "../replicate/replication-worker.ts";
import { GroupOutbox } from "./group-outbox.ts";

const PAGE_ENTRIES = 500;
const MEASURE_EVERY_MS = 10_000;
/** Targets that buckets name and the configuration does not are bounded by this. */
const TARGETS_MAX = 1000;

export interface OutboxSessionParts {
  readonly deps: KeeperDeps;
  readonly catalog: BucketCatalog;
  readonly notifyMetrics: NotifyMetrics;
  readonly logMetrics: LogMetrics;
  readonly replicationMetrics: ReplicationMetrics;
}

export class OutboxSession {
  readonly #parts: OutboxSessionParts;
  readonly #rules: NotificationRules;
  readonly #progress = new DeliveryProgress();
  readonly #outboxes = new Map<number, GroupOutbox>();
  readonly #workers = new Map<string, TargetWorker | ReplicationWorker>();
  readonly #running = new Set<Promise<void>>();
  readonly #collector: LogCollector;
  readonly #stop = new AbortController();
  #measuredAt = Number.NEGATIVE_INFINITY;

  constructor(parts: OutboxSessionParts) {
    this.#parts = parts;
    this.#rules = new NotificationRules(parts.deps, parts.catalog);
    this.#collector = new LogCollector(parts.deps, parts.catalog, parts.logMetrics);
  }

  /** Resolves after `signal`; rejects when something broke that the session cannot mend. */
  async run(signal: AbortSignal): Promise<void> {
    const stop = (): void => this.#stop.abort();
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    for (const name of Object.keys(this.#parts.deps.notify.targets)) this.#ensureWorker(name);
    try {
      await Promise.all([this.#loop(() => this.#route()), this.#loop(() => this.#writeLogs())]);
    } finally {
      stop();
      signal.removeEventListener("abort", stop);
      await Promise.all(this.#running);
    }
  }

  async #loop(round: () => Promise<void>): Promise<void> {
    const { clock, log, notify } = this.#parts.deps;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await round();
      } catch (error) {
        if (!signal.aborted) log.warn("outbox waits", { reason: String(error) });
      }
      try {
        await clock.sleep(notify.pollMs, signal);
      } catch (error) {
        if (!isStoreError(error, "aborted")) throw error;
      }
    }
  }

  async #route(): Promise<void> {
    const groups = this.#parts.deps.view.indexGroups();
    for (const groupId of groups) {
      const outbox = this.#outbox(groupId);
      await this.#routeGroup(outbox);
      await outbox.flush();
    }
    await this.#measure(groups);
  }

  async #measure(groups: readonly number[]): Promise<void> {
    const { deps, notifyMetrics } = this.#parts;
    const now = deps.clock.monotonicMs();
    if (now - this.#measuredAt < MEASURE_EVERY_MS) return;
    this.#measuredAt = now;
    for (const groupId of groups) {
      const kind = { case: "groupStats", value: {} } as const;
      const { outboxEntries, outboxDropped } = await deps.metadata.query(groupId, kind);
      const labels = { group: String(groupId) };
      notifyMetrics.entries.set(toSafeNumber(outboxEntries), labels);
      notifyMetrics.lost.set(toSafeNumber(outboxDropped), labels);
    }
  }

  #outbox(groupId: number): GroupOutbox {
    const known = this.#outboxes.get(groupId);
    if (known !== undefined) return known;
    const outbox = new GroupOutbox(this.#parts.deps.metadata, groupId);
    this.#outboxes.set(groupId, outbox);
    return outbox;
  }

  async #routeGroup(outbox: GroupOutbox): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const entries = await outbox.page(outbox.head, PAGE_ENTRIES);
      const readAt = this.#parts.deps.clock.monotonicMs();
      if (entries.length === 0) return;
      for (const entry of entries) {
        if (entry.kind.case === "accessLog") this.#collector.add(outbox, entry);
        else await this.#routeEvent(outbox, entry, readAt);
        outbox.head = entry.sequence;
      }
    }
  }

  /**
   * Also an entry of a kind that a newer release wrote passes here: it stays for a newer keeper.
   */
  async #routeEvent(outbox: GroupOutbox, entry: OutboxEntry, readAt: number): Promise<void> {
    if (entry.kind.case !== "event") return;
    const { targets } = await this.#rules.match(entry, readAt);
    for (const name of targets) this.#ensureWorker(name);
    const isDone = this.#progress.allPassed(targets, outbox.groupId, entry.sequence);
    if (isDone) outbox.carriedOut([entry.sequence]);
  }

  #ensureWorker(name: string): void {
    if (this.#workers.has(name) || this.#workers.size >= TARGETS_MAX) return;
    const { deps, notifyMetrics: metrics } = this.#parts;
    const shared = { deps, rules: this.#rules, progress: this.#progress };
    const arn = destinationArn(name);
    const worker =
      arn === undefined
        ? new TargetWorker(name, { ...shared, metrics })
        : new ReplicationWorker(arn, {
            ...shared,
            catalog: this.#parts.catalog,
            metrics: this.#parts.replicationMetrics,
          });
    this.#workers.set(name, worker);
    const running = worker.run(() => this.#outboxes.values(), this.#stop.signal);
    this.#running.add(running);
    // One that broke ends the session, which throws what broke it.
    running.catch(() => this.#stop.abort());
  }

  async #writeLogs(): Promise<void> {
    await this.#collector.round(this.#stop.signal);
  }
}
