// Tells index groups what they must know of a bucket, for when a gateway died between changing the
// bucket's record and telling them. Idempotent: a group keeps the newest revision it has heard of.
// A revision that all groups confirmed to this keeper is not sent again.
import { mapBounded } from "../../lib/base/bounded.ts";
import { StoreError } from "../../lib/base/errors.ts";
import type { BucketRecord } from "../../lib/gen/dolium/record/v1/cluster_pb.ts";
import { Outcome } from "../../lib/gen/dolium/record/v1/command_pb.ts";
import { bucketStateOf, isPlainBucket } from "../../lib/s3/settings/bucket-state.ts";
import type { KeeperDeps } from "../deps.ts";
import type { BucketCatalog } from "./bucket-catalog.ts";

const BUCKETS_AT_ONCE = 4;
/** A record that was never changed. */
const FIRST_REVISION = 1n;

export type ReconcileDeps = Pick<KeeperDeps, "metadata" | "buckets" | "log">;

export class BucketReconciler {
  readonly #deps: ReconcileDeps;
  readonly #catalog: BucketCatalog;
  #confirmed = new Map<number, bigint>();

  constructor(deps: ReconcileDeps, catalog: BucketCatalog) {
    this.#deps = deps;
    this.#catalog = catalog;
  }

  /** Returns the number of buckets whose groups were told. */
  async round(signal: AbortSignal): Promise<number> {
    const buckets = await this.#catalog.all();
    const former = this.#confirmed;
    this.#confirmed = new Map();
    const due = buckets.filter((bucket) => {
      const { bucketId, revision } = bucket;
      const isDue = former.get(bucketId) !== revision;
      if (!isDue) this.#confirmed.set(bucketId, revision);
      return isDue;
    });
    let told = 0;
    await mapBounded(due, BUCKETS_AT_ONCE, async (bucket) => {
      if (signal.aborted) return;
      try {
        if (await this.#tell(bucket)) told += 1;
        this.#confirmed.set(bucket.bucketId, bucket.revision);
      } catch (error) {
        const { name, revision } = bucket;
        this.#deps.log.error("groups not told of a bucket", error, { bucket: name, revision });
      }
    });
    return told;
  }

  /** False when there is nothing to tell. */
  async #tell(bucket: BucketRecord): Promise<boolean> {
    const { bucketId, revision } = bucket;
    if (revision <= FIRST_REVISION && isPlainBucket(bucket)) return false;
    const value = { bucketId, state: bucketStateOf(bucket) };
    for (const groupId of this.#deps.buckets.groupsOf(bucket)) {
      const kind = { case: "configureBucket", value } as const;
      const { outcome, message } = await this.#deps.metadata.execute(groupId, kind);
      // Sealed: it is being deleted.
      if (outcome !== Outcome.OK && outcome !== Outcome.SEALED) {
        throw new StoreError("conflict", `group ${groupId}: outcome ${outcome} ${message}`);
      }
    }
    return true;
  }
}
