// Carries what the outboxes have for one destination bucket there: the entries of a key one after
// another, in the order of their commits, different keys side by side. A destination that does not
// answer holds up nobody but itself; a version that alone fails, or is refused, is marked FAILED in
// the end, so that it holds up no other. At least once: what was carried out and not noted before a
// crash is carried out again, unless the version says that it is there.
import { mapBounded } from "../../lib/base/bounded.ts";
import { toHex, toSafeNumber } from "../../lib/base/bytes.ts";
import { isStoreError } from "../../lib/base/errors.ts";
import type { OutboxEntry } from "../../lib/gen/dolium/record/v1/group_pb.ts";
import type { BucketCatalog } from "../buckets/bucket-catalog.ts";
import type { KeeperDeps } from "../deps.ts";
import type { DeliveryProgress } from "../notify/delivery-progress.ts";
import { type NotificationRules, replicationTarget } from "../notify/notification-rules.ts";
import { Backoff, pause } from "../outbox/backoff.ts";
import type { GroupOutbox } from "../outbox/group-outbox.ts";
import { EntryCarrier } from "./entry-carrier.ts";
import type { ReplicationMetrics } from "./replication-metrics.ts";

const PAGE_ENTRIES = 100;

export interface ReplicationWorkerParts {
  readonly deps: KeeperDeps;
  readonly catalog: BucketCatalog;
  readonly rules: NotificationRules;
  readonly progress: DeliveryProgress;
  readonly metrics: ReplicationMetrics;
}

/** An entry of a page, and what became of it. */
interface Task {
  readonly entry: OutboxEntry;
  readonly targets: readonly string[];
  readonly isOurs: boolean;
  state: "waiting" | "done" | "failed";
}

export class ReplicationWorker {
  readonly name: string;
  readonly #arn: string;
  readonly #parts: ReplicationWorkerParts;
  readonly #carrier: EntryCarrier;
  readonly #backoff: Backoff;
  /** Failures of entries that failed while others passed, or were refused. */
  readonly #attempts = new Map<string, number>();

  constructor(arn: string, parts: ReplicationWorkerParts) {
    this.name = replicationTarget(arn);
    this.#arn = arn;
    this.#parts = parts;
    this.#carrier = new EntryCarrier(arn, parts);
    this.#backoff = new Backoff(parts.deps.replication, parts.deps.random);
  }

  /** Goes on until `signal`; what fails is logged and tried again. */
  async run(groups: () => Iterable<GroupOutbox>, signal: AbortSignal): Promise<void> {
    const { clock, log, notify } = this.#parts.deps;
    while (!signal.aborted) {
      let pauseMs = notify.pollMs;
      try {
        const { moved, failed } = await this.#round(groups(), signal);
        if (failed) pauseMs = this.#backoff.failed();
        else {
          this.#backoff.succeeded();
          if (moved) pauseMs = 0;
        }
      } catch (error) {
        if (signal.aborted) return;
        pauseMs = this.#backoff.failed();
        const reason = String(error);
        log.warn("replication waits", { destination: this.#arn, pauseMs, reason });
      }
      await pause(clock, pauseMs, signal);
    }
  }

  /** One page of every group. */
  async #round(
    groups: Iterable<GroupOutbox>,
    signal: AbortSignal,
  ): Promise<{ readonly moved: boolean; readonly failed: boolean }> {
    const { progress, metrics } = this.#parts;
    const waiting: Task[] = [];
    let moved = false;
    for (const outbox of groups) {
      if (signal.aborted) break;
      if (progress.of(this.name, outbox.groupId) >= outbox.head) continue;
      waiting.push(...(await this.#turn(outbox, signal)));
      moved = true;
    }
    const labels = { destination: this.#arn };
    metrics.pending.set(waiting.length, labels);
    const { clock } = this.#parts.deps;
    const ages = waiting.map(({ entry }) => clock.wallMs() - toSafeNumber(entry.timeMs));
    metrics.behind.set(Math.max(0, ...ages) / 1000, labels);
    return { moved, failed: waiting.length > 0 };
  }

  /** Entries of the page that must wait. */
  async #turn(outbox: GroupOutbox, signal: AbortSignal): Promise<readonly Task[]> {
    const { progress } = this.#parts;
    const { groupId, head } = outbox;
    const page = await outbox.page(progress.of(this.name, groupId), PAGE_ENTRIES);
    const tasks = await this.#tasksOf(page.filter(({ sequence }) => sequence <= head));
    try {
      await this.#carryOut(outbox, tasks, signal);
    } finally {
      this.#pass(outbox, tasks);
      await outbox.flush();
    }
    const left = tasks.filter(({ state }) => state !== "done");
    const isAll = page.length === 0 || tasks.length < page.length;
    if (isAll && left.length === 0) progress.advance(this.name, groupId, head);
    return left;
  }

  async #tasksOf(entries: readonly OutboxEntry[]): Promise<Task[]> {
    const { rules, deps } = this.#parts;
    const readAt = deps.clock.monotonicMs();
    const tasks: Task[] = [];
    for (const entry of entries) {
      const { targets } = await rules.match(entry, readAt);
      const isOurs = targets.includes(this.name);
      tasks.push({ entry, targets, isOurs, state: isOurs ? "waiting" : "done" });
    }
    return tasks;
  }

  async #carryOut(outbox: GroupOutbox, tasks: readonly Task[], signal: AbortSignal): Promise<void> {
    const byKey = new Map<string, Task[]>();
    for (const task of tasks) {
      if (!task.isOurs) continue;
      const name = keyOf(task.entry);
      const others = byKey.get(name);
      if (others === undefined) byKey.set(name, [task]);
      else others.push(task);
    }
    const failures: { readonly task: Task; readonly error: unknown }[] = [];
    let passed = 0;
    await mapBounded([...byKey.values()], this.#parts.deps.replication.width, async (queue) => {
      for (const task of queue) {
        if (signal.aborted) return;
        try {
          await this.#carrier.carry(outbox.groupId, task.entry, signal);
          task.state = "done";
          passed += 1;
          this.#attempts.delete(attemptOf(outbox, task));
        } catch (error) {
          if (signal.aborted) return;
          task.state = "failed";
          failures.push({ task, error });
          return;
        }
      }
    });
    for (const { task, error } of failures) await this.#fail(outbox, { task, error, passed });
  }

  /** Marks the version FAILED when there is no hope; else the entry waits. */
  async #fail(
    outbox: GroupOutbox,
    { task, error, passed }: { task: Task; error: unknown; passed: number },
  ): Promise<void> {
    const { deps, metrics } = this.#parts;
    const { attemptsMax, giveUpAfterMs } = deps.replication;
    const labels = { destination: this.#arn };
    metrics.failures.increment(labels);
    const { entry } = task;
    const reason = String(error);
    const key = keyOf(entry);
    deps.log.warn("a version was not replicated", { destination: this.#arn, key, reason });
    const name = attemptOf(outbox, task);
    const attempts = (this.#attempts.get(name) ?? 0) + 1;
    if (isRefusal(error) || passed > 0) this.#attempts.set(name, attempts);
    const isOld = deps.clock.wallMs() - toSafeNumber(entry.timeMs) >= giveUpAfterMs;
    if (!isOld && (this.#attempts.get(name) ?? 0) < attemptsMax) return;
    await this.#carrier.giveUp(outbox.groupId, entry);
    metrics.failed.increment(labels);
    this.#attempts.delete(name);
    task.state = "done";
  }

  /** Moves on past what is done before the first entry that waits; finishes all that is done. */
  #pass(outbox: GroupOutbox, tasks: readonly Task[]): void {
    const { progress } = this.#parts;
    const { groupId } = outbox;
    for (const { entry, targets, state } of tasks) {
      if (state !== "done") return;
      progress.advance(this.name, groupId, entry.sequence);
      if (entry.kind.case !== "event") continue;
      const isDone = progress.allPassed(targets, groupId, entry.sequence);
      if (isDone) outbox.carriedOut([entry.sequence]);
    }
  }
}

function keyOf({ bucketId, kind }: OutboxEntry): string {
  return kind.case === "event" ? `${bucketId}/${toHex(kind.value.key)}` : "";
}

function attemptOf({ groupId }: GroupOutbox, { entry }: Task): string {
  return `${groupId}/${entry.sequence}`;
}

function isRefusal(error: unknown): boolean {
  return (["denied", "not-found", "invalid"] as const).some((code) => isStoreError(error, code));
}
