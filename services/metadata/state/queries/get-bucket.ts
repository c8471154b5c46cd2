// GetBucket: a bucket's record by name.
import { create } from "@bufbuild/protobuf";
import {
  type GetBucketAnswer,
  GetBucketAnswerSchema,
  type GetBucketQuery,
} from "../../../lib/gen/dolium/metadata/v1/metadata_pb.ts";
import { BucketRecordSchema } from "../../../lib/gen/dolium/record/v1/cluster_pb.ts";
import { bucketNameKey } from "../keys.ts";
import { readRecord, type StateReader } from "../records.ts";

export function getBucket(reader: StateReader, query: GetBucketQuery): GetBucketAnswer {
  const bucket = readRecord(reader, BucketRecordSchema, bucketNameKey(query.name));
  return create(GetBucketAnswerSchema, bucket === undefined ? {} : { bucket });
}
