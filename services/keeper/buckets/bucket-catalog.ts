// Buckets by id, which is how index groups name them. Ids are never used again, so one that the
// root group does not know is gone for good. What is handed out was asked for after a moment that
// the caller names: an event is judged by the setting that made it, never by an older one.
import { ROOT_GROUP } from "../../lib/clients/groups.ts";
import type { BucketRecord } from "../../lib/gen/dolium/record/v1/cluster_pb.ts";
import type { KeeperDeps } from "../deps.ts";

const PAGE_BUCKETS = 200;
const GONE_MAX = 10_000;

interface Known {
  readonly bucket: BucketRecord;
  /** Monotonic milliseconds. */
  readonly askedAt: number;
}

export type CatalogDeps = Pick<KeeperDeps, "metadata" | "clock">;

export class BucketCatalog {
  readonly #deps: CatalogDeps;
  #known = new Map<number, Known>();
  readonly #gone = new Set<number>();
  #listing: Promise<readonly BucketRecord[]> | undefined;

  constructor(deps: CatalogDeps) {
    this.#deps = deps;
  }

  /** Every bucket, asked for now; concurrent calls share one question. */
  async all(): Promise<readonly BucketRecord[]> {
    this.#listing ??= this.#list().finally(() => {
      this.#listing = undefined;
    });
    return this.#listing;
  }

  /**
   * The bucket as it was at `since` (monotonic milliseconds, not in the future) or later; undefined
   * when it was deleted.
   */
  async find(bucketId: number, since: number): Promise<BucketRecord | undefined> {
    if (this.#gone.has(bucketId)) return undefined;
    const known = this.#known.get(bucketId);
    if (known !== undefined && known.askedAt >= since) return known.bucket;
    const bucket =
      known === undefined ? await this.#search(bucketId) : await this.#ask(known.bucket);
    if (bucket === undefined) this.#forget(bucketId);
    return bucket;
  }

  /** Not the listing that may be under way: it may have passed the bucket before it was made. */
  async #search(bucketId: number): Promise<BucketRecord | undefined> {
    const all = await this.#list();
    return all.find((bucket) => bucket.bucketId === bucketId);
  }

  async #ask({ name, bucketId }: BucketRecord): Promise<BucketRecord | undefined> {
    const kind = { case: "getBucket", value: { name } } as const;
    const askedAt = this.#deps.clock.monotonicMs();
    const { bucket } = await this.#deps.metadata.query(ROOT_GROUP, kind);
    if (bucket?.bucketId !== bucketId) return undefined;
    this.#known.set(bucketId, { bucket, askedAt });
    return bucket;
  }

  async #list(): Promise<readonly BucketRecord[]> {
    const askedAt = this.#deps.clock.monotonicMs();
    const found: BucketRecord[] = [];
    let afterName = "";
    for (;;) {
      const value = { owner: "", afterName, prefix: "", limit: PAGE_BUCKETS };
      const page = await this.#deps.metadata.query(ROOT_GROUP, { case: "listBuckets", value });
      found.push(...page.buckets);
      const last = page.buckets.at(-1);
      if (!page.truncated || last === undefined) break;
      afterName = last.name;
    }
    this.#known = new Map(found.map((bucket) => [bucket.bucketId, { bucket, askedAt }]));
    return found;
  }

  #forget(bucketId: number): void {
    if (this.#gone.size >= GONE_MAX) this.#gone.clear();
    this.#gone.add(bucketId);
    this.#known.delete(bucketId);
  }
}

/** The document of a setting; undefined when the bucket has none. */
export function settingOf(bucket: BucketRecord, name: string): Uint8Array | undefined {
  return bucket.settings.find((setting) => setting.name === name)?.document;
}
