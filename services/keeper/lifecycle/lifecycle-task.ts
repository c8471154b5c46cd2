// Lifecycle rules: a pass walks every bucket that has some, once an interval, at a bounded rate.
// Where it stands is written into the task's lease, so that another keeper goes on there. Each step
// may be repeated: removals are conditional on what was seen.

import { utf8 } from "../../lib/base/bytes.ts";
import { isStoreError } from "../../lib/base/errors.ts";
import type { BucketRecord } from "../../lib/gen/dolium/record/v1/cluster_pb.ts";
import { parseStoredLifecycle } from "../../lib/s3/settings/lifecycle.ts";
import { type BucketCatalog, settingOf } from "../buckets/bucket-catalog.ts";
import type { KeeperDeps } from "../deps.ts";
import type { HeldLease } from "../leases.ts";
import { type BucketRules, BucketRulesRunner, commonPrefix } from "./bucket-rules.ts";
import { type LifecycleMetrics, lifecycleMetrics } from "./lifecycle-metrics.ts";
import { walkPage, walkStart } from "./version-walk.ts";
import {
  decodeNote,
  encodeNote,
  NO_PASS,
  type PassState,
  type WalkPosition,
} from "./walk-position.ts";

/** How often a pass under way writes down where it stands. */
const NOTE_EVERY_MS = 5000;

/** One pass on its way. */
interface Pass {
  readonly lease: HeldLease;
  readonly runner: BucketRulesRunner;
  readonly signal: AbortSignal;
  state: PassState;
  notedAt: number;
}

export class LifecycleTask {
  readonly #deps: KeeperDeps;
  readonly #catalog: BucketCatalog;
  readonly #metrics: LifecycleMetrics;

  constructor(deps: KeeperDeps, catalog: BucketCatalog) {
    this.#deps = deps;
    this.#catalog = catalog;
    this.#metrics = lifecycleMetrics(deps.metrics);
  }

  /** Begins a pass when one is due, or goes on with the one that is under way. */
  async round(signal: AbortSignal, lease: HeldLease): Promise<void> {
    const nowMs = this.#clockOf(lease);
    const noted = decodeNote(lease.note);
    const state = stateAt(noted, nowMs(), this.#deps.lifecycle.intervalMs);
    if (state === undefined) return;
    const pass: Pass = {
      lease,
      runner: new BucketRulesRunner(this.#deps, this.#metrics, nowMs),
      signal,
      state,
      notedAt: this.#deps.clock.monotonicMs(),
    };
    await this.#walk(pass);
    if (signal.aborted) return;
    const finishedMs = nowMs();
    await lease.write(encodeNote({ ...NO_PASS, begunMs: state.begunMs, finishedMs }));
    this.#metrics.lastPass.set(finishedMs / 1000);
  }

  /**
   * This machine's clock, but never ahead of the leader's that granted the lease: a keeper whose
   * clock runs fast removes nothing before its time.
   */
  #clockOf({ grantedMs }: HeldLease): () => number {
    const { clock } = this.#deps;
    const atMs = clock.monotonicMs();
    return () => Math.min(clock.wallMs(), Math.ceil(grantedMs + clock.monotonicMs() - atMs));
  }

  async #walk(pass: Pass): Promise<void> {
    const buckets = [...(await this.#catalog.all())].sort((a, b) => a.bucketId - b.bucketId);
    for (const bucket of buckets) {
      if (pass.signal.aborted) return;
      if (bucket.bucketId <= pass.state.doneBucketId) continue;
      try {
        await this.#walkBucket(pass, bucket);
      } catch (error) {
        if (pass.signal.aborted) return;
        // It is being deleted: there is nothing left to expire.
        if (isStoreError(error, "sealed")) continue;
        this.#metrics.errors.increment();
        this.#deps.log.error("lifecycle of a bucket broke off", error, { bucket: bucket.name });
      }
      if (pass.signal.aborted) return;
      pass.state = { ...pass.state, doneBucketId: bucket.bucketId, position: undefined };
    }
  }

  async #walkBucket(pass: Pass, bucket: BucketRecord): Promise<void> {
    const document = settingOf(bucket, "lifecycle");
    if (document === undefined) return;
    const rules = parseStoredLifecycle(document).filter((rule) => rule.isEnabled);
    const work: BucketRules = { bucket, rules };
    const noted = pass.state.bucketId === bucket.bucketId ? pass.state.position : undefined;
    const groups = this.#deps.buckets.groupsOf(bucket);
    const resumed = noted === undefined ? -1 : groups.indexOf(noted.groupId);
    for (const [at, groupId] of groups.entries()) {
      if (pass.signal.aborted) return;
      if (at < resumed) continue;
      const from = at === resumed ? noted : undefined;
      if (from === undefined) await pass.runner.applyToUploads(work, groupId, pass.signal);
      await this.#walkVersions(pass, work, from ?? walkStart(groupId));
    }
  }

  async #walkVersions(pass: Pass, work: BucketRules, from: WalkPosition): Promise<void> {
    const { metadata, clock } = this.#deps;
    const acting = work.rules.filter((rule) => actsOnVersions(rule));
    if (acting.length === 0) return;
    const { bucketId } = work.bucket;
    const { groupId } = from;
    const walk = { groupId, bucketId, prefix: utf8(commonPrefix(acting)) };
    let position: WalkPosition | undefined = from;
    while (position !== undefined && !pass.signal.aborted) {
      const begunAt = clock.monotonicMs();
      const page = await walkPage(metadata, walk, position);
      const { versions } = page;
      const { signal } = pass;
      const judged = { groupId, versions, signal };
      const isWhole = await pass.runner.applyToVersions({ ...work, rules: acting }, judged);
      if (!isWhole) return;
      position = page.next;
      await this.#note(pass, bucketId, position);
      await this.#keepPace(page.versions.length, begunAt, pass.signal);
    }
  }

  async #note(pass: Pass, bucketId: number, position: WalkPosition | undefined): Promise<void> {
    const now = this.#deps.clock.monotonicMs();
    if (position === undefined || now - pass.notedAt < NOTE_EVERY_MS) return;
    pass.state = { ...pass.state, bucketId, position };
    pass.notedAt = now;
    await pass.lease.write(encodeNote(pass.state));
  }

  async #keepPace(count: number, begunAt: number, signal: AbortSignal): Promise<void> {
    const { clock, lifecycle } = this.#deps;
    const leftMs = begunAt + (count / lifecycle.entriesPerSecond) * 1000 - clock.monotonicMs();
    if (leftMs > 0) await clock.sleep(leftMs, signal);
  }
}

/** The state to go on from; undefined while no pass is due. */
function stateAt(noted: PassState, nowMs: number, intervalMs: number): PassState | undefined {
  const isUnderWay = noted.begunMs !== 0 && noted.finishedMs === 0;
  if (isUnderWay) return noted;
  const sinceMs = nowMs - noted.finishedMs;
  // A pass that ended in the future was timed by a clock that was wrong.
  if (noted.finishedMs !== 0 && sinceMs >= 0 && sinceMs < intervalMs) return undefined;
  return { ...NO_PASS, begunMs: Math.max(1, nowMs) };
}

function actsOnVersions({
  expiration,
  noncurrentExpiration,
  transitions,
  noncurrentTransitions,
}: BucketRules["rules"][number]): boolean {
  if (expiration !== undefined || noncurrentExpiration !== undefined) return true;
  return transitions.length + noncurrentTransitions.length > 0;
}
