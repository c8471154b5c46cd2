// ConfigureBucket: tells the group what the root group's record says of a bucket. Idempotent and in
// any order: what is older than what is known changes nothing.
import { present } from "../../../lib/base/assert.ts";
import type { ConfigureBucket, Reply } from "../../../lib/gen/dolium/record/v1/command_pb.ts";
import { putBucketState, readBucketState } from "../bucket-states.ts";
import { accepted } from "../outcome.ts";
import type { StateWriter } from "../records.ts";
import { refusedBySeal } from "../write-checks.ts";

export function configureBucket(view: StateWriter, command: ConfigureBucket): Reply {
  const { bucketId } = command;
  const no = refusedBySeal(view, bucketId);
  if (no !== undefined) return no;
  const state = present(command.state, "state");
  if (state.revision > readBucketState(view, bucketId).revision) {
    putBucketState(view, bucketId, state);
  }
  return accepted();
}
