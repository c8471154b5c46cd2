// RemoveBucket: frees the name of a bucket whose groups have sealed it. The id says which bucket is
// meant, so that a late repetition never removes a new bucket of the same name.
import { BucketRecordSchema } from "../../../lib/gen/dolium/record/v1/cluster_pb.ts";
import {
  Outcome,
  type RemoveBucket,
  type Reply,
} from "../../../lib/gen/dolium/record/v1/command_pb.ts";
import { bucketNameKey, ownedBucketKey } from "../keys.ts";
import { accepted, refused } from "../outcome.ts";
import { readRecord, type StateWriter } from "../records.ts";

export function removeBucket(view: StateWriter, command: RemoveBucket): Reply {
  const { name, bucketId } = command;
  const bucket = readRecord(view, BucketRecordSchema, bucketNameKey(name));
  if (bucket === undefined || bucket.bucketId !== bucketId) {
    return refused(Outcome.NO_SUCH_BUCKET, `there is no bucket ${name} with id ${bucketId}`);
  }
  view.delete(bucketNameKey(name));
  view.delete(ownedBucketKey(bucket.owner, name));
  return accepted();
}
