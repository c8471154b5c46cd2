// What the lifecycle rules of a bucket do to one version or upload at one moment, and the headers
// that announce it. Days count from the writing of an object (or from when it became noncurrent)
// and end at the midnight after, in UTC. Source: Amazon S3 user guide, "Lifecycle configuration
// elements" and "Setting lifecycle configuration"; API reference, x-amz-expiration.
import { assert } from "../../base/assert.ts";
import type { HeaderField } from "../headers.ts";
import { formatHttpDate } from "../http-date.ts";
import { uriEncode } from "../uri-encoding.ts";
import type { Tag } from "../xml-requests.ts";
import type {
  LifecycleFilter,
  LifecycleRule,
  LifecycleTime,
  NoncurrentPeriod,
} from "./lifecycle.ts";

const DAY_SECONDS = 86_400;

/** One version of a key, or a delete marker. */
export interface LifecycleEntry {
  readonly key: string;
  /** 0 for a delete marker. */
  readonly size: number;
  readonly tags: readonly Tag[];
  readonly storageClass: string;
  readonly modifiedMs: number;
  readonly isLatest: boolean;
  readonly isDeleteMarker: boolean;
  /** The key has no other version. */
  readonly isOnlyVersion: boolean;
  /** When the next newer version was written; of noncurrent versions only. */
  readonly noncurrentSinceMs: number | undefined;
  /** Noncurrent versions of the key that are newer than this one. */
  readonly newerNoncurrent: number;
}

export interface LifecycleUpload {
  readonly key: string;
  readonly initiatedMs: number;
}

export interface LifecycleMoment {
  readonly nowMs: number;
  /** Length of a "day" in seconds, 86,400 but in tests. */
  readonly daySeconds: number;
}

/** `dueMs` is when the rule began to apply; `ruleId` names it. */
interface Due {
  readonly ruleId: string;
  readonly dueMs: number;
}

export type LifecycleAction =
  | { readonly kind: "none" }
  /** Delete the current version as a client would: with versioning, by a delete marker. */
  | ({ readonly kind: "expire-current" } & Due)
  /** Remove a current delete marker that hides nothing. */
  | ({ readonly kind: "remove-delete-marker" } & Due)
  /** Remove this noncurrent version for good. */
  | ({ readonly kind: "remove-version" } & Due)
  | ({ readonly kind: "transition"; readonly storageClass: string } & Due);

const NONE: LifecycleAction = { kind: "none" };

/**
 * The one action that is due for `entry`, or none. Removal comes before transition; of several
 * transitions the last one due counts. Disabled rules do nothing. Locked versions are not known
 * here: whoever carries out a removal meets the lock.
 */
export function lifecycleAction(
  rules: readonly LifecycleRule[],
  entry: LifecycleEntry,
  moment: LifecycleMoment,
): LifecycleAction {
  assert(moment.daySeconds > 0, "lifecycleAction: a day of no length");
  const applying = rules.filter((rule) => rule.isEnabled && appliesTo(rule.filter, entry));
  const removal = entry.isLatest
    ? currentRemoval(applying, entry, moment)
    : noncurrentRemoval(applying, entry, moment);
  if (removal !== undefined) return removal;
  return entry.isDeleteMarker ? NONE : (dueTransition(applying, entry, moment) ?? NONE);
}

function appliesTo(filter: LifecycleFilter, entry: LifecycleEntry): boolean {
  const { prefix, tags, sizeGreaterThan, sizeLessThan } = filter;
  if (!entry.key.startsWith(prefix ?? "")) return false;
  const hasTag = ({ key, value }: Tag): boolean =>
    entry.tags.some((tag) => tag.key === key && tag.value === value);
  if (!tags.every(hasTag)) return false;
  // Delete markers have no size that a rule could mean.
  if (entry.isDeleteMarker) return true;
  if (sizeGreaterThan !== undefined && entry.size <= sizeGreaterThan) return false;
  return sizeLessThan === undefined || entry.size < sizeLessThan;
}

/** The first midnight after `days` have passed since `fromMs`. */
export function midnightAfter(fromMs: number, days: number, daySeconds = DAY_SECONDS): number {
  const dayMs = daySeconds * 1000;
  return (Math.floor(fromMs / dayMs) + days + 1) * dayMs;
}

function dueOf(time: LifecycleTime, fromMs: number, daySeconds: number): number {
  return time.kind === "date" ? time.dateMs : midnightAfter(fromMs, time.days, daySeconds);
}

function earliest<T extends Due>(candidates: readonly T[]): T | undefined {
  return candidates.toSorted((a, b) => a.dueMs - b.dueMs)[0];
}

function currentRemoval(
  rules: readonly LifecycleRule[],
  entry: LifecycleEntry,
  { nowMs, daySeconds }: LifecycleMoment,
): LifecycleAction | undefined {
  const due = rules.flatMap(({ id, expiration }): readonly Due[] => {
    if (expiration === undefined) return [];
    if (expiration.kind === "delete-markers") {
      return entry.isDeleteMarker ? [{ ruleId: id, dueMs: entry.modifiedMs }] : [];
    }
    // A date means objects; a delete marker that is left over is old enough only by days.
    if (entry.isDeleteMarker && expiration.kind === "date") return [];
    return [{ ruleId: id, dueMs: dueOf(expiration, entry.modifiedMs, daySeconds) }];
  });
  const first = earliest(due.filter(({ dueMs }) => dueMs <= nowMs));
  if (first === undefined) return undefined;
  if (!entry.isDeleteMarker) return { kind: "expire-current", ...first };
  return entry.isOnlyVersion ? { kind: "remove-delete-marker", ...first } : undefined;
}

function noncurrentRemoval(
  rules: readonly LifecycleRule[],
  entry: LifecycleEntry,
  moment: LifecycleMoment,
): LifecycleAction | undefined {
  const due = rules.flatMap(({ id, noncurrentExpiration }): readonly Due[] => {
    if (noncurrentExpiration === undefined) return [];
    const dueMs = noncurrentDueMs(noncurrentExpiration, entry, moment.daySeconds);
    return dueMs === undefined || dueMs > moment.nowMs ? [] : [{ ruleId: id, dueMs }];
  });
  const first = earliest(due);
  return first === undefined ? undefined : { kind: "remove-version", ...first };
}

/** Undefined while the version is one of the newer ones that are kept. */
function noncurrentDueMs(
  { days, newerVersions }: NoncurrentPeriod,
  { noncurrentSinceMs, newerNoncurrent }: LifecycleEntry,
  daySeconds: number,
): number | undefined {
  if (noncurrentSinceMs === undefined || newerNoncurrent < (newerVersions ?? 0)) return undefined;
  return midnightAfter(noncurrentSinceMs, days, daySeconds);
}

interface DueTransition extends Due {
  readonly storageClass: string;
}

function dueTransition(
  rules: readonly LifecycleRule[],
  entry: LifecycleEntry,
  moment: LifecycleMoment,
): LifecycleAction | undefined {
  const due = rules
    .flatMap((rule) => transitionsOf(rule, entry, moment.daySeconds))
    .filter(({ dueMs }) => dueMs <= moment.nowMs);
  const last = due.toSorted((a, b) => b.dueMs - a.dueMs)[0];
  if (last === undefined || last.storageClass === entry.storageClass) return undefined;
  return { kind: "transition", ...last };
}

function transitionsOf(
  rule: LifecycleRule,
  entry: LifecycleEntry,
  daySeconds: number,
): readonly DueTransition[] {
  if (entry.isLatest) {
    return rule.transitions.map(({ time, storageClass }) => {
      const dueMs = dueOf(time, entry.modifiedMs, daySeconds);
      return { ruleId: rule.id, dueMs, storageClass };
    });
  }
  return rule.noncurrentTransitions.flatMap((transition) => {
    const dueMs = noncurrentDueMs(transition, entry, daySeconds);
    const { storageClass } = transition;
    return dueMs === undefined ? [] : [{ ruleId: rule.id, dueMs, storageClass }];
  });
}

/** The rule that ends `upload`, and since when, or undefined while none does. */
export function uploadAbortion(
  rules: readonly LifecycleRule[],
  upload: LifecycleUpload,
  { nowMs, daySeconds }: LifecycleMoment,
): Due | undefined {
  const next = nextAbortion(rules, upload, daySeconds);
  return next !== undefined && next.dueMs <= nowMs ? next : undefined;
}

function nextAbortion(
  rules: readonly LifecycleRule[],
  { key, initiatedMs }: LifecycleUpload,
  daySeconds: number,
): Due | undefined {
  return earliest(
    rules.flatMap(({ id, isEnabled, filter, abortUploadDays }) =>
      isEnabled && abortUploadDays !== undefined && key.startsWith(filter.prefix ?? "")
        ? [{ ruleId: id, dueMs: midnightAfter(initiatedMs, abortUploadDays, daySeconds) }]
        : [],
    ),
  );
}

/** x-amz-abort-date and x-amz-abort-rule-id of CreateMultipartUpload and ListParts. */
export function abortHeaders(
  rules: readonly LifecycleRule[],
  upload: LifecycleUpload,
  daySeconds = DAY_SECONDS,
): readonly HeaderField[] {
  const next = nextAbortion(rules, upload, daySeconds);
  if (next === undefined) return [];
  return [
    ["x-amz-abort-date", formatHttpDate(next.dueMs)],
    ["x-amz-abort-rule-id", uriEncode(next.ruleId, false)],
  ];
}

/** What x-amz-expiration needs to know of a current version. */
export type ExpiringObject = Pick<LifecycleEntry, "key" | "size" | "tags" | "modifiedMs">;

/** x-amz-expiration of GetObject, HeadObject and PutObject: when, and by which rule. */
export function expirationHeaders(
  rules: readonly LifecycleRule[],
  object: ExpiringObject,
  daySeconds = DAY_SECONDS,
): readonly HeaderField[] {
  const entry: LifecycleEntry = {
    ...object,
    storageClass: "",
    isLatest: true,
    isDeleteMarker: false,
    isOnlyVersion: true,
    noncurrentSinceMs: undefined,
    newerNoncurrent: 0,
  };
  const next = earliest(
    rules.flatMap(({ id, isEnabled, filter, expiration }) =>
      !isEnabled || expiration === undefined || expiration.kind === "delete-markers"
        ? []
        : appliesTo(filter, entry)
          ? [{ ruleId: id, dueMs: dueOf(expiration, object.modifiedMs, daySeconds) }]
          : [],
    ),
  );
  if (next === undefined) return [];
  const text = `expiry-date="${formatHttpDate(next.dueMs)}", rule-id="${uriEncode(next.ruleId, false)}"`;
  return [["x-amz-expiration", text]];
}
