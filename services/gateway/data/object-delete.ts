// Deletes keys: grouped by the group that holds them, one command a group, answers in the order
// asked.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { assert, present } from "../../lib/base/assert.ts";
import { StoreError } from "../../lib/base/errors.ts";
import type {
  DeleteObjects_TargetSchema,
  DeleteObjectsReply_Result,
} from "../../lib/gen/dolium/record/v1/command_pb.ts";
import type { BucketContext } from "../operation.ts";
import { executeAt } from "./name-space.ts";

export type DeleteTarget = MessageInitShape<typeof DeleteObjects_TargetSchema> & {
  readonly key: Uint8Array;
};

/** One result a target, in order. Throws StoreError when a group did not answer. */
export async function deleteTargets(
  context: BucketContext,
  targets: readonly DeleteTarget[],
): Promise<DeleteObjectsReply_Result[]> {
  const { bucket, gateway } = context;
  const { buckets } = gateway.dependencies;
  const byGroup = new Map<number, number[]>();
  targets.forEach((target, index) => {
    const groupId = buckets.groupOf(bucket, target.key);
    const indexes = byGroup.get(groupId);
    if (indexes === undefined) byGroup.set(groupId, [index]);
    else indexes.push(index);
  });
  const results = new Array<DeleteObjectsReply_Result>(targets.length);
  for (const indexes of byGroup.values()) {
    const group = indexes.map((index) => present(targets[index], "target"));
    const answers = await deleteInGroup(context, group);
    assert(answers.length === group.length, "deleteTargets: a target without a result");
    answers.forEach((answer, at) => {
      results[present(indexes[at], "index")] = answer;
    });
  }
  return results;
}

async function deleteInGroup(
  context: BucketContext,
  targets: readonly DeleteTarget[],
): Promise<readonly DeleteObjectsReply_Result[]> {
  const { bucket } = context;
  const { key } = present(targets[0], "first target");
  const reply = await executeAt(
    context,
    { bucket, key },
    {
      case: "deleteObjects",
      value: { bucketId: bucket.bucketId, targets: [...targets] },
    },
  );
  if (reply.kind.case !== "deleteObjects") {
    throw new StoreError("internal", "a delete was answered by another reply");
  }
  return reply.kind.value.results;
}
