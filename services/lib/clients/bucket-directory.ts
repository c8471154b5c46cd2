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

interface Cached {
  readonly bucket: BucketRecord;
  readonly until: number;
}

export class BucketDirectory {
  readonly #metadata: MetadataClient;
  readonly #clock: Clock;
  readonly #cached = new Map<string, Cached>();

  constructor(metadata: MetadataClient, clock: Clock) {
    this.#metadata = metadata;
    this.#clock = clock;
  }

  /**
   * The bucket of that name, at most two seconds old; undefined when there is none (never cached).
   */
  async get(name: string, options: MetadataCallOptions = {}): Promise<BucketRecord | undefined> {
    const hit = this.#cached.get(name);
    if (hit !== undefined && hit.until > this.#clock.monotonicMs()) return hit.bucket;
    return this.refresh(name, options);
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
