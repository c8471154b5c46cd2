// Commands and queries about keys, sent to the group whose range holds the key. A range that moved
// is asked for anew, once; a bucket that turns out sealed comes out as StoreError "sealed", which
// the dispatcher settles.
import { isStoreError, StoreError } from "../../lib/base/errors.ts";
import type {
  CommandKind,
  QueryAnswer,
  QueryCase,
  QueryKind,
} from "../../lib/clients/metadata-client.ts";
import type { BucketRecord } from "../../lib/gen/dolium/record/v1/cluster_pb.ts";
import type { Reply } from "../../lib/gen/dolium/record/v1/command_pb.ts";
import { checkOutcome } from "../error-mapper.ts";
import { callOptions, type ServiceContext } from "../operation.ts";
import { originOf } from "./write-origin.ts";

/** A key in a bucket. */
export interface Place {
  readonly bucket: BucketRecord;
  readonly key: Uint8Array;
}

/** Asks the group of `place`. Throws StoreError. */
export async function queryAt<C extends QueryCase>(
  context: ServiceContext,
  place: Place,
  kind: Extract<QueryKind, { case: C }>,
): Promise<QueryAnswer<C>> {
  const { metadata } = context.gateway.dependencies;
  return inRange(context, place, (groupId) =>
    metadata.query<C>(groupId, kind, callOptions(context)),
  );
}

/**
 * Proposes a command to the group of `place`; resolves once it is committed. Throws what
 * checkOutcome throws for an outcome other than OK; `condition` names the header that
 * PRECONDITION_FAILED is about.
 */
export async function executeAt(
  context: ServiceContext,
  { condition, ...place }: Place & { readonly condition?: string },
  kind: CommandKind,
): Promise<Reply> {
  const { metadata } = context.gateway.dependencies;
  return inRange(context, place, async (groupId) => {
    const options = { ...callOptions(context), origin: originOf(context) };
    const reply = await metadata.execute(groupId, kind, options);
    checkOutcome(reply.outcome, reply.message, condition);
    return reply;
  });
}

async function inRange<T>(
  context: ServiceContext,
  { bucket, key }: Place,
  work: (groupId: number) => Promise<T>,
): Promise<T> {
  const { buckets } = context.gateway.dependencies;
  try {
    return await work(buckets.groupOf(bucket, key));
  } catch (error) {
    if (!isStoreError(error, "stale-epoch")) throw error;
  }
  const current = await buckets.refresh(bucket.name, callOptions(context));
  if (current?.bucketId !== bucket.bucketId) {
    throw new StoreError("sealed", `bucket ${bucket.name} is another one now`);
  }
  return work(buckets.groupOf(current, key));
}
