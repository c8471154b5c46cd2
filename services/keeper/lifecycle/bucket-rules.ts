// Carries out the rules of one bucket over pages of its versions and over its uploads. A removal
// names the version that was looked at and the one that was current then: what was written or
// restored meanwhile is never hit. Locked versions stay; that is no error. Transitions come after
// the removals of a page; one that fails holds up no other.
import { mapBounded } from "../../lib/base/bounded.ts";
import { fromUtf8, toSafeNumber, utf8 } from "../../lib/base/bytes.ts";
import type { BucketRecord } from "../../lib/gen/dolium/record/v1/cluster_pb.ts";
import {
  type DeleteObjectsReply_Result,
  Outcome,
} from "../../lib/gen/dolium/record/v1/command_pb.ts";
import type { Upload, Version } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import type { LifecycleRule } from "../../lib/s3/settings/lifecycle.ts";
import {
  type LifecycleAction,
  lifecycleAction,
  uploadAbortion,
} from "../../lib/s3/settings/lifecycle-evaluation.ts";
import { STANDARD_CLASS } from "../../lib/s3/storage-classes.ts";
import type { KeeperDeps } from "../deps.ts";
import type { LifecycleMetrics } from "./lifecycle-metrics.ts";
import { type TransitionDeps, transitionVersion } from "./transition.ts";
import type { WalkedVersion } from "./version-walk.ts";

const DELETES_AT_ONCE = 500;
const PAGE_UPLOADS = 500;
const NONE = new Uint8Array(0);

type Removal = Exclude<LifecycleAction["kind"], "none" | "transition">;

interface Target {
  readonly kind: Removal;
  readonly key: Uint8Array;
  readonly versionId: Uint8Array;
  readonly condition: { readonly ifVersionId: Uint8Array };
}

interface Move {
  readonly key: Uint8Array;
  readonly versionId: Uint8Array;
  readonly storageClass: string;
}

/** What is due for one version. */
type Due =
  | { readonly kind: "remove"; readonly target: Target }
  | { readonly kind: "move"; readonly move: Move };

/** A page of versions of one group. */
export interface VersionsToJudge {
  readonly groupId: number;
  readonly versions: readonly WalkedVersion[];
  readonly signal: AbortSignal;
}

export interface BucketRules {
  readonly bucket: BucketRecord;
  readonly rules: readonly LifecycleRule[];
}

export type RulesDeps = TransitionDeps & Pick<KeeperDeps, "log">;

export class BucketRulesRunner {
  readonly #deps: RulesDeps;
  readonly #metrics: LifecycleMetrics;
  /** Milliseconds since 1970; never ahead of the metadata service. */
  readonly #nowMs: () => number;

  constructor(deps: RulesDeps, metrics: LifecycleMetrics, nowMs: () => number) {
    this.#deps = deps;
    this.#metrics = metrics;
    this.#nowMs = nowMs;
  }

  /**
   * Removes and moves what is due among these versions. Throws StoreError when the group does not
   * answer. False when the signal left some of it undone.
   */
  async applyToVersions(
    { bucket, rules }: BucketRules,
    { groupId, versions, signal }: VersionsToJudge,
  ): Promise<boolean> {
    const due = versions.flatMap((walked) => this.#dueOf(rules, walked) ?? []);
    const targets = due.flatMap((one) => (one.kind === "remove" ? [one.target] : []));
    this.#metrics.scanned.increment({}, versions.length);
    for (let at = 0; at < targets.length; at += DELETES_AT_ONCE) {
      const slice = targets.slice(at, at + DELETES_AT_ONCE);
      await this.#remove(groupId, bucket.bucketId, slice);
    }
    const moves = due.flatMap((one) => (one.kind === "move" ? [one.move] : []));
    await mapBounded(moves, this.#deps.lifecycle.transitionWidth, async (move) => {
      if (!signal.aborted) await this.#move(bucket, groupId, { ...move, signal });
    });
    return moves.length === 0 || !signal.aborted;
  }

  async #move(
    bucket: BucketRecord,
    groupId: number,
    { key, versionId, storageClass, signal }: Move & { readonly signal: AbortSignal },
  ): Promise<void> {
    const { bucketId } = bucket;
    const name = { groupId, bucketId, key, versionId };
    try {
      const done = await transitionVersion(this.#deps, { bucket, name, storageClass, signal });
      if (done.kind === "changed") {
        this.#metrics.kept.increment({ reason: "changed" });
        return;
      }
      this.#metrics.actions.increment({ action: "transition" });
      this.#metrics.movedBytes.increment({}, done.moved);
    } catch (error) {
      if (signal.aborted) return;
      this.#metrics.errors.increment();
      const reason = String(error);
      this.#deps.log.warn("a transition failed", { bucket: bucket.name, storageClass, reason });
    }
  }

  #dueOf(rules: readonly LifecycleRule[], walked: WalkedVersion): Due | undefined {
    const { version, isLatest, headId } = walked;
    const key = fromUtf8(walked.key);
    if (key === undefined) return undefined;
    const { daySeconds } = this.#deps.lifecycle;
    const entry = {
      key,
      size: toSafeNumber(version.size),
      tags: version.tags.map(({ name, value }) => ({ key: name, value })),
      storageClass: version.storageClass || STANDARD_CLASS,
      modifiedMs: toSafeNumber(version.modifiedMs),
      isLatest,
      isDeleteMarker: version.deleteMarker,
      isOnlyVersion: walked.isOnly,
      noncurrentSinceMs: isLatest ? undefined : walked.noncurrentSinceMs,
      newerNoncurrent: walked.newerNoncurrent,
    };
    const moment = { nowMs: this.#nowMs(), daySeconds };
    let action = lifecycleAction(rules, entry, moment);
    if (action.kind === "remove-version" && isHeld(version, moment.nowMs)) {
      // What may not go may move all the same.
      this.#metrics.kept.increment({ reason: "locked" });
      action = lifecycleAction(rules.map(withoutRemoval), entry, moment);
    }
    const { kind } = action;
    if (kind === "none") return undefined;
    if (kind === "transition") {
      const { storageClass } = action;
      const { versionId } = version;
      return { kind: "move", move: { key: walked.key, versionId, storageClass } };
    }
    const target: Target = {
      kind,
      key: walked.key,
      versionId: kind === "expire-current" ? NONE : version.versionId,
      condition: { ifVersionId: headId },
    };
    return { kind: "remove", target };
  }

  async #remove(groupId: number, bucketId: number, targets: readonly Target[]): Promise<void> {
    const value = {
      bucketId,
      targets: targets.map(({ key, versionId, condition }) => ({ key, versionId, condition })),
      lifecycle: true,
    };
    const kind = { case: "deleteObjects", value } as const;
    const reply = await this.#deps.metadata.execute(groupId, kind);
    // Sealed: the bucket is being deleted.
    if (reply.outcome === Outcome.SEALED) return;
    const results = reply.kind.case === "deleteObjects" ? reply.kind.value.results : [];
    for (const [at, target] of targets.entries()) this.#count(target, results[at]);
  }

  #count({ kind }: Target, result: DeleteObjectsReply_Result | undefined): void {
    switch (result?.outcome) {
      case Outcome.OK:
        this.#metrics.actions.increment({ action: kind });
        return;
      case Outcome.LOCKED:
        this.#metrics.kept.increment({ reason: "locked" });
        return;
      case Outcome.PRECONDITION_FAILED:
      case Outcome.NO_SUCH_KEY:
      case Outcome.NO_SUCH_VERSION:
        this.#metrics.kept.increment({ reason: "changed" });
        return;
      default:
        this.#metrics.errors.increment();
        this.#deps.log.warn("a lifecycle removal failed", { kind, outcome: result?.outcome ?? 0 });
    }
  }

  /** Aborts the uploads of one group that are due. */
  async applyToUploads(
    { bucket, rules }: BucketRules,
    groupId: number,
    signal: AbortSignal,
  ): Promise<void> {
    const aborting = rules.filter((rule) => rule.isEnabled && rule.abortUploadDays !== undefined);
    if (aborting.length === 0) return;
    const { bucketId } = bucket;
    const prefix = utf8(commonPrefix(aborting));
    let keyMarker: Uint8Array = NONE;
    let uploadIdMarker: Uint8Array = NONE;
    while (!signal.aborted) {
      const value = { bucketId, prefix, keyMarker, uploadIdMarker, limit: PAGE_UPLOADS };
      const page = await this.#deps.metadata.query(groupId, { case: "listUploads", value });
      this.#metrics.scanned.increment({}, page.uploads.length);
      for (const upload of page.uploads) await this.#abortWhenDue(aborting, groupId, upload);
      if (!page.truncated) return;
      keyMarker = page.nextKeyMarker;
      uploadIdMarker = page.nextUploadIdMarker;
    }
  }

  async #abortWhenDue(
    rules: readonly LifecycleRule[],
    groupId: number,
    { bucketId, key, uploadId, createdMs }: Upload,
  ): Promise<void> {
    const moment = { nowMs: this.#nowMs(), daySeconds: this.#deps.lifecycle.daySeconds };
    const text = fromUtf8(key);
    if (text === undefined) return;
    const upload = { key: text, initiatedMs: toSafeNumber(createdMs) };
    if (uploadAbortion(rules, upload, moment) === undefined) return;
    const value = { bucketId, key, uploadId };
    const reply = await this.#deps.metadata.execute(groupId, { case: "abortUpload", value });
    if (reply.outcome === Outcome.OK) this.#metrics.actions.increment({ action: "abort-upload" });
  }
}

function isHeld({ lock }: Version, nowMs: number): boolean {
  return lock !== undefined && (lock.legalHold || lock.retainUntilMs > BigInt(nowMs));
}

function withoutRemoval(rule: LifecycleRule): LifecycleRule {
  return { ...rule, expiration: undefined, noncurrentExpiration: undefined };
}

/** The longest prefix that everything has which the rules can be about. */
export function commonPrefix(rules: readonly LifecycleRule[]): string {
  const [first = "", ...others] = rules.map(({ filter }) => filter.prefix ?? "");
  let length = first.length;
  for (const other of others) {
    let same = 0;
    while (same < length && same < other.length && first[same] === other[same]) same += 1;
    length = same;
  }
  // Never half of a surrogate pair: that would be no text.
  return first.slice(0, length).isWellFormed()
    ? first.slice(0, length)
    : first.slice(0, length - 1);
}
