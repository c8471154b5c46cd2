// Buckets that whoever starts a gateway wants to find: made for the root user where they are
// missing, in the same way as those of the provisioning file. One that is there stays as it is.
import type { AdminDependencies } from "../admin-dependencies.ts";
import { toAdminError } from "../admin-error.ts";
import type { AdminService } from "../admin-service.ts";
import { ownCalls } from "./own-calls.ts";
import type { BucketWish } from "./provisioning-file.ts";
import type { ReconcileDeps } from "./reconcile.ts";
import { makeMissingBucket, seeToBucket } from "./reconcile-bucket.ts";

/** A bucket, and what everybody may do in it once it is made. */
export type FirstBucket = Pick<BucketWish, "name" | "access">;

export interface FirstBucketParts {
  readonly admin: AdminDependencies;
  readonly service: Pick<AdminService, "callAs">;
}

/** While the cluster starts. */
const RETRY_MS = 100;

/**
 * Resolves with the names of those that it made once all are there. Waits for a cluster that does
 * not answer yet. Throws AdminError for what waiting does not mend; StoreError "aborted".
 */
export async function makeFirstBuckets(
  { admin, service }: FirstBucketParts,
  wishes: readonly FirstBucket[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const made: string[] = [];
  for (const wish of wishes) {
    const isNew = await patiently(admin, signal, async () => {
      const calls = await ownCalls(admin, service, signal);
      return makeOne({ admin, calls, readSecret: async () => "" }, wish);
    });
    if (!isNew) continue;
    admin.log.info("a bucket was made at the start", { bucket: wish.name });
    made.push(wish.name);
  }
  return made;
}

/** Somebody may have closed it since it was made: access is given to new ones only. */
async function makeOne(deps: ReconcileDeps, wish: FirstBucket): Promise<boolean> {
  const isNew = await makeMissingBucket(deps, wish);
  if (isNew && wish.access !== undefined) await seeToBucket(wish)(deps);
  return isNew;
}

async function patiently<T>(
  { clock }: AdminDependencies,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const refusal = toAdminError(error);
      if (signal.aborted || (refusal.status !== 503 && refusal.status !== 429)) throw refusal;
    }
    await clock.sleep(RETRY_MS, signal);
  }
}
