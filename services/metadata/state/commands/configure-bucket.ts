// ConfigureBucket: tells the group what the root group's record says of a bucket. Idempotent and in
// any order: what is older than what is known changes nothing. An event for the bucket's targets to
// see that they are set up may come with it, each time anew.
import { create } from "@bufbuild/protobuf";
import { present } from "../../../lib/base/assert.ts";
import type { ConfigureBucket, Reply } from "../../../lib/gen/dolium/record/v1/command_pb.ts";
import { EventSchema } from "../../../lib/gen/dolium/record/v1/group_pb.ts";
import { putBucketState, readBucketState } from "../bucket-states.ts";
import type { CommandContext } from "../context.ts";
import { addToOutbox } from "../outbox.ts";
import { accepted } from "../outcome.ts";
import type { StateWriter } from "../records.ts";
import { refusedBySeal } from "../write-checks.ts";

const TEST_EVENT = "TestEvent";

export function configureBucket(
  view: StateWriter,
  command: ConfigureBucket,
  context: CommandContext,
): Reply {
  const { bucketId } = command;
  const no = refusedBySeal(view, bucketId);
  if (no !== undefined) return no;
  const state = present(command.state, "state");
  if (state.revision > readBucketState(view, bucketId).revision) {
    putBucketState(view, bucketId, state);
  }
  if (command.testEvent && readBucketState(view, bucketId).events) {
    const { origin } = context;
    const value = create(EventSchema, {
      name: TEST_EVENT,
      ...(origin === undefined ? {} : { origin }),
    });
    addToOutbox(view, context, { bucketId, kind: { case: "event", value } });
  }
  return accepted();
}
