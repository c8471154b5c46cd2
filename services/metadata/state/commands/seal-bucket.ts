// SealBucket: refuses all further writes to a bucket that holds no version. A seal is for ever, as
// bucket ids are never used again.
import { create } from "@bufbuild/protobuf";
import {
  Outcome,
  type Reply,
  type SealBucket,
} from "../../../lib/gen/dolium/record/v1/command_pb.ts";
import { BucketSealSchema } from "../../../lib/gen/dolium/record/v1/group_pb.ts";
import type { CommandContext } from "../context.ts";
import { bucketRange, bucketStateKey, sealKey, TABLE } from "../keys.ts";
import { accepted, refused } from "../outcome.ts";
import { putRecord, type StateWriter } from "../records.ts";
import { isSealed } from "../write-checks.ts";

export async function sealBucket(
  view: StateWriter,
  command: SealBucket,
  context: CommandContext,
): Promise<Reply> {
  const { bucketId } = command;
  if (isSealed(view, bucketId)) return accepted();
  // Every key with a version has a head.
  const heads = await view.scan(bucketRange(TABLE.head, bucketId), 1);
  if (heads.length > 0) return refused(Outcome.NOT_EMPTY, "the bucket holds versions");
  const record = create(BucketSealSchema, { sealedMs: context.timeMs });
  view.delete(bucketStateKey(bucketId));
  putRecord(view, BucketSealSchema, { key: sealKey(bucketId), record });
  return accepted();
}
