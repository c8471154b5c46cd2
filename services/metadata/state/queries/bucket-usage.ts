// BucketUsage: what the group has of buckets; zeros for those it has nothing of.
import { create } from "@bufbuild/protobuf";
import { StoreError } from "../../../lib/base/errors.ts";
import {
  type BucketUsageAnswer,
  BucketUsageAnswerSchema,
  type BucketUsageQuery,
} from "../../../lib/gen/dolium/metadata/v1/metadata_pb.ts";
import type { StateReader } from "../records.ts";
import { readUsage } from "../usage.ts";

const BUCKETS_MAX = 1000;

export function bucketUsage(
  reader: StateReader,
  { bucketIds }: BucketUsageQuery,
): BucketUsageAnswer {
  if (bucketIds.length > BUCKETS_MAX)
    throw new StoreError("invalid", `over ${BUCKETS_MAX} buckets`);
  const entries = bucketIds.map((bucketId) => ({ bucketId, usage: readUsage(reader, bucketId) }));
  return create(BucketUsageAnswerSchema, { entries });
}
