// Bucket names to records, cached for a moment. A stale entry does no harm: bucket ids are never
// used again, so a group that no longer knows the bucket says "sealed", and the caller invalidates
// and asks anew.
import { compareBytes } from "../base/bytes.ts";
import { StoreError } from "../base/errors.ts";
import type { BucketRecord } from "../gen/dolium/record/v1/cluster_pb.ts";
import type { Clock } from "../ports/clock.ts";
import { ROOT_GROUP } from "./groups.ts";
import type { MetadataCallOptions, MetadataClient } from "./metadata-client.ts";

const CACHE_MS = 2000;
const CACHED_BUCKETS_MAX = 10_000;
/** A lookup that takes longer is not waited for by others: what it brings may be old. */
const JOINED_MS = 500;

interface Cached {
  readonly bucket: BucketRecord;
  readonly until: number;
}

interface Lookup {
  readonly bucket: Promise<BucketRecord | undefined>;
  readonly beganMs: number;
}

export class BucketDirectory {
  readonly #metadata: MetadataClient;
  readonly #clock: Clock;
  readonly #cached = new Map<string, Cached>();
  /** Lookups of `get` under way, by name. */
  readonly #lookups = new Map<string, Lookup>();

  constructor(metadata: MetadataClient, clock: Clock) {
    this.#metadata = metadata;
    this.#clock = clock;
  }

  /**
   * The bucket of that name, at most two seconds old; undefined when there is none (never cached).
   */
  async get(name: string, options: MetadataCallOptions = {}): Promise<BucketRecord | undefined> {
    return this.known(name) ?? this.#lookup(name, options);
  }

  /** The bucket of that name where it is cached, at most two seconds old. */
  known(name: string): BucketRecord | undefined {
    const hit = this.#cached.get(name);
    return hit !== undefined && hit.until > this.#clock.monotonicMs() ? hit.bucket : undefined;
  }

  /**
   * One question for all who ask in the moment after it. Nobody joins one from before `invalidate`.
   * It ends by its deadline, and not with the caller who happened to be the first.
   */
  async #lookup(
    name: string,
    { signal: _, ...shared }: MetadataCallOptions,
  ): Promise<BucketRecord | undefined> {
    const nowMs = this.#clock.monotonicMs();
    const running = this.#lookups.get(name);
    if (running !== undefined && nowMs - running.beganMs < JOINED_MS) return running.bucket;
    const bucket = this.refresh(name, shared);
    const lookup = { bucket, beganMs: nowMs };
    this.#lookups.set(name, lookup);
    try {
      return await bucket;
    } finally {
      if (this.#lookups.get(name) === lookup) this.#lookups.delete(name);
    }
  }

  /** Asks the root group, whatever is cached. */
  async refresh(
    name: string,
    options: MetadataCallOptions = {},
  ): Promise<BucketRecord | undefined> {
    const kind = { case: "getBucket", value: { name } } as const;
    const { bucket } = await this.#metadata.query(ROOT_GROUP, kind, options);
    this.#cached.delete(name);
    if (bucket !== undefined) {
      if (this.#cached.size >= CACHED_BUCKETS_MAX) this.#dropOldest();
      this.#cached.set(name, { bucket, until: this.#clock.monotonicMs() + CACHE_MS });
    }
    return bucket;
  }

  invalidate(name: string): void {
    this.#cached.delete(name);
    this.#lookups.delete(name);
  }

  /** The group whose range holds `key`. */
  groupOf(bucket: BucketRecord, key: Uint8Array): number {
    for (const range of bucket.ranges) {
      const fromStart = compareBytes(range.start, key) <= 0;
      const beforeEnd = range.end.byteLength === 0 || compareBytes(key, range.end) < 0;
      if (fromStart && beforeEnd) return range.groupId;
    }
    throw new StoreError("stale-epoch", `no range of bucket ${bucket.name} holds the key`);
  }

  /** Every group with a range of the bucket, in key order, each once. */
  groupsOf(bucket: BucketRecord): number[] {
    return [...new Set(bucket.ranges.map((range) => range.groupId))];
  }

  #dropOldest(): void {
    for (const name of this.#cached.keys()) {
      this.#cached.delete(name);
      return;
    }
  }
}
