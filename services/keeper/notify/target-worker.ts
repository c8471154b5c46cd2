// Delivers events to one target, group by group, each group's in the order of its commits. A target
// that fails holds up nobody but itself: the post is repeated with growing pauses until it
// succeeds, is refused for good, or is too old. At least once: after a crash, what was delivered
// but not finished is delivered again.
import { assert } from "../../lib/base/assert.ts";
import { toSafeNumber, utf8 } from "../../lib/base/bytes.ts";
import { StoreError } from "../../lib/base/errors.ts";
import type { OutboxEntry } from "../../lib/gen/dolium/record/v1/group_pb.ts";
import type { KeeperDeps } from "../deps.ts";
import { Backoff, pause } from "../outbox/backoff.ts";
import type { GroupOutbox } from "../outbox/group-outbox.ts";
import type { DeliveryProgress } from "./delivery-progress.ts";
import type { MatchedEvent, NotificationRules } from "./notification-rules.ts";
import type { NotifyMetrics } from "./notify-metrics.ts";

const PAGE_ENTRIES = 100;
/** Statuses that say: this post will never be taken. */
const REFUSALS: ReadonlySet<number> = new Set([400, 410, 413, 415, 422]);

export interface TargetWorkerParts {
  readonly deps: Pick<KeeperDeps, "http" | "clock" | "random" | "log" | "notify">;
  readonly rules: NotificationRules;
  readonly progress: DeliveryProgress;
  readonly metrics: NotifyMetrics;
}

/** One page of a group's outbox on its way to the target. */
interface Turn {
  readonly outbox: GroupOutbox;
  readonly signal: AbortSignal;
}

interface Passed {
  readonly entry: OutboxEntry;
  readonly targets: readonly string[];
}

export class TargetWorker {
  readonly name: string;
  readonly #parts: TargetWorkerParts;
  readonly #backoff: Backoff;

  constructor(name: string, parts: TargetWorkerParts) {
    this.name = name;
    this.#parts = parts;
    this.#backoff = new Backoff(parts.deps.notify, parts.deps.random);
  }

  /** Goes on until `signal`; what fails is logged and tried again. */
  async run(groups: () => Iterable<GroupOutbox>, signal: AbortSignal): Promise<void> {
    const { clock, log, notify } = this.#parts.deps;
    while (!signal.aborted) {
      let pauseMs = notify.pollMs;
      try {
        if (await this.#round(groups(), signal)) pauseMs = 0;
        else this.#parts.metrics.behind.set(0, { target: this.name });
        this.#backoff.succeeded();
      } catch (error) {
        if (signal.aborted) return;
        pauseMs = this.#backoff.failed();
        const { name: target } = this;
        log.warn("events wait", { target, pauseMs, reason: String(error) });
      }
      await pause(clock, pauseMs, signal);
    }
  }

  /** One page of every group; true when there was anything. */
  async #round(groups: Iterable<GroupOutbox>, signal: AbortSignal): Promise<boolean> {
    const { progress } = this.#parts;
    let moved = false;
    for (const outbox of groups) {
      if (signal.aborted) return moved;
      if (progress.of(this.name, outbox.groupId) >= outbox.head) continue;
      await this.#turn(outbox, signal);
      moved = true;
    }
    return moved;
  }

  /** What was delivered is finished even when the rest of the page must wait. */
  async #turn(outbox: GroupOutbox, signal: AbortSignal): Promise<void> {
    const { progress } = this.#parts;
    const { groupId, head } = outbox;
    const page = await outbox.page(progress.of(this.name, groupId), PAGE_ENTRIES);
    const entries = page.filter(({ sequence }) => sequence <= head);
    try {
      await this.#deliverPage({ outbox, signal }, entries);
      const isAll = page.length === 0 || entries.length < page.length;
      if (isAll) progress.advance(this.name, groupId, head);
    } finally {
      await outbox.flush();
    }
  }

  async #deliverPage(turn: Turn, entries: readonly OutboxEntry[]): Promise<void> {
    const { rules, deps } = this.#parts;
    const readAt = deps.clock.monotonicMs();
    let passed: Passed[] = [];
    let batch: MatchedEvent[] = [];
    for (const entry of entries) {
      const matched = await rules.match(entry, readAt);
      const isOurs = matched.targets.includes(this.name);
      // A whole message is posted as it is, without others before or behind it.
      const isApart = matched.isWhole || batch.at(-1)?.isWhole === true;
      const isFull = batch.length >= deps.notify.batchMax || (isApart && batch.length > 0);
      if (isOurs && isFull) {
        await this.#deliver(turn, batch);
        this.#pass(turn, passed);
        [passed, batch] = [[], []];
      }
      passed.push({ entry, targets: matched.targets });
      const { isWhole } = matched;
      if (isOurs) batch.push({ entry, record: matched.record(this.name), isWhole });
    }
    if (batch.length > 0) await this.#deliver(turn, batch);
    this.#pass(turn, passed);
  }

  #pass(turn: Turn, passed: readonly Passed[]): void {
    const { progress } = this.#parts;
    const { outbox } = turn;
    const { groupId } = outbox;
    for (const { entry, targets } of passed) {
      progress.advance(this.name, groupId, entry.sequence);
      if (entry.kind.case !== "event") continue;
      const isDone = progress.allPassed(targets, groupId, entry.sequence);
      if (isDone) outbox.carriedOut([entry.sequence]);
    }
  }

  /** Resolves when the batch is delivered or given up; throws when it must wait. */
  async #deliver(turn: Turn, batch: readonly MatchedEvent[]): Promise<void> {
    const { deps, metrics } = this.#parts;
    const target = this.name;
    try {
      const status = await this.#post(batch, turn.signal);
      if (status >= 200 && status < 300) {
        metrics.delivered.increment({ target }, batch.length);
        this.#backoff.succeeded();
        return;
      }
      // Receivers that know records only may fail at another message for ever: any answer ends it.
      const isRefused = REFUSALS.has(status) || batch.some(({ isWhole }) => isWhole);
      if (!isRefused) throw new StoreError("unavailable", `answered ${status}`);
      metrics.dropped.increment({ target, reason: "refused" }, batch.length);
      deps.log.warn("events refused by their target", { target, status, events: batch.length });
    } catch (error) {
      if (turn.signal.aborted) throw error;
      metrics.failures.increment({ target });
      const ages = batch.map(({ entry }) => deps.clock.wallMs() - toSafeNumber(entry.timeMs));
      metrics.behind.set(Math.max(...ages) / 1000, { target });
      if (Math.min(...ages) < deps.notify.giveUpAfterMs) throw error;
      metrics.dropped.increment({ target, reason: "old" }, batch.length);
      const reason = String(error);
      deps.log.warn("events given up", { target, events: batch.length, reason });
    }
  }

  async #post(batch: readonly MatchedEvent[], signal: AbortSignal): Promise<number> {
    const { http, notify } = this.#parts.deps;
    const target = notify.targets[this.name];
    if (target === undefined) throw new StoreError("invalid", "no such target is configured");
    const { url, timeoutMs: deadlineMs, authToken } = target;
    const records = batch.map(({ record }) => record).join(",");
    const isWhole = batch.at(0)?.isWhole === true;
    assert(!isWhole || batch.length === 1, "a whole message is posted alone");
    const body = utf8(isWhole ? records : `{"Records":[${records}]}`);
    const headers = {
      "Content-Type": "application/json",
      ...target.headers,
      ...(authToken === "" ? {} : { Authorization: authorizationOf(authToken) }),
    };
    return http.post({ url, body, headers, deadlineMs, signal });
  }
}

/** `Scheme token` goes as it is. */
function authorizationOf(token: string): string {
  return token.includes(" ") ? token : `Bearer ${token}`;
}
