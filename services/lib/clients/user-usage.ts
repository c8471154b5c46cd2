// What buckets hold, and users with all their buckets, summed over index groups. Sums of users are
// up to five seconds old: quotas of users are kept to roughly, those of buckets exactly where they
// are applied.
import { StoreError } from "../base/errors.ts";
import type { BucketRecord } from "../gen/dolium/record/v1/cluster_pb.ts";
import type { Clock } from "../ports/clock.ts";
import { ROOT_GROUP } from "./groups.ts";
import type { MetadataCallOptions, MetadataClient } from "./metadata-client.ts";

const KEPT_MS = 5000;
const KEPT_MAX = 10_000;
const PAGE = 1000;

export interface UsageTotals {
  readonly objects: bigint;
  /** Delete markers among them. */
  readonly versions: bigint;
  /** Plain bytes of all versions. */
  readonly bytes: bigint;
  /** Plain bytes of the parts of unfinished uploads. */
  readonly uploadBytes: bigint;
}

export interface OwnedUsage extends UsageTotals {
  readonly buckets: number;
}

export interface UserUsageDeps {
  readonly metadata: Pick<MetadataClient, "query">;
  readonly clock: Clock;
}

const NOTHING: UsageTotals = { objects: 0n, versions: 0n, bytes: 0n, uploadBytes: 0n };

interface Kept {
  readonly usage: Promise<OwnedUsage>;
  readonly untilMs: number;
}

export class UserUsage {
  readonly #deps: UserUsageDeps;
  readonly #kept = new Map<string, Kept>();

  constructor(deps: UserUsageDeps) {
    this.#deps = deps;
  }

  /** What all buckets of `owner` hold, at most five seconds ago. */
  of(owner: string): Promise<OwnedUsage> {
    const nowMs = this.#deps.clock.monotonicMs();
    const kept = this.#kept.get(owner);
    if (kept !== undefined && kept.untilMs > nowMs) return kept.usage;
    this.#kept.delete(owner);
    this.#makeRoom();
    const usage = this.#sum(owner);
    const added = { usage, untilMs: nowMs + KEPT_MS };
    this.#kept.set(owner, added);
    usage.catch(() => {
      // Whoever asked gets the error; the next one asks anew.
      if (this.#kept.get(owner) === added) this.#kept.delete(owner);
    });
    return usage;
  }

  async #sum(owner: string): Promise<OwnedUsage> {
    const { metadata } = this.#deps;
    let total = NOTHING;
    let buckets = 0;
    let afterName = "";
    for (;;) {
      const value = { owner, afterName, limit: PAGE };
      const page = await metadata.query(ROOT_GROUP, { case: "listBuckets", value });
      const usage = await usageOfBuckets(metadata, page.buckets);
      for (const one of usage.values()) total = sum(total, one);
      buckets += page.buckets.length;
      const last = page.buckets.at(-1);
      if (!page.truncated || last === undefined) return { ...total, buckets };
      afterName = last.name;
    }
  }

  #makeRoom(): void {
    if (this.#kept.size < KEPT_MAX) return;
    for (const oldest of this.#kept.keys()) {
      this.#kept.delete(oldest);
      return;
    }
  }
}

/** What each of the buckets holds, by bucket id; every bucket is there. */
export async function usageOfBuckets(
  metadata: Pick<MetadataClient, "query">,
  buckets: readonly BucketRecord[],
  options: MetadataCallOptions = {},
): Promise<Map<number, UsageTotals>> {
  const byGroup = new Map<number, Set<number>>();
  const totals = new Map<number, UsageTotals>();
  for (const { bucketId, ranges } of buckets) {
    totals.set(bucketId, NOTHING);
    for (const { groupId } of ranges) {
      byGroup.set(groupId, (byGroup.get(groupId) ?? new Set()).add(bucketId));
    }
  }
  for (const [groupId, ids] of byGroup) {
    const all = [...ids];
    for (let at = 0; at < all.length; at += PAGE) {
      const value = { bucketIds: all.slice(at, at + PAGE) };
      const kind = { case: "bucketUsage", value } as const;
      const { entries } = await metadata.query(groupId, kind, options);
      for (const { bucketId, usage } of entries) {
        if (usage === undefined) throw new StoreError("internal", "a bucket without its usage");
        totals.set(bucketId, sum(totals.get(bucketId) ?? NOTHING, usage));
      }
    }
  }
  return totals;
}

function sum(a: UsageTotals, b: UsageTotals): UsageTotals {
  return {
    objects: a.objects + b.objects,
    versions: a.versions + b.versions,
    bytes: a.bytes + b.bytes,
    uploadBytes: a.uploadBytes + b.uploadBytes,
  };
}
