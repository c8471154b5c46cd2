// AppendAccessLog: keeps lines of server access logs until the keeper has delivered them.
import { present } from "../../../lib/base/assert.ts";
import {
  type AppendAccessLog,
  Outcome,
  type Reply,
} from "../../../lib/gen/dolium/record/v1/command_pb.ts";
import type { CommandContext } from "../context.ts";
import { addToOutbox } from "../outbox.ts";
import { accepted, refused } from "../outcome.ts";
import type { StateWriter } from "../records.ts";
import { refusedBySeal } from "../write-checks.ts";

export function appendAccessLog(
  view: StateWriter,
  command: AppendAccessLog,
  context: CommandContext,
): Reply {
  const { bucketId } = command;
  const no = refusedBySeal(view, bucketId);
  if (no !== undefined) return no;
  const value = present(command.log, "log");
  if (addToOutbox(view, context, { bucketId, kind: { case: "accessLog", value } })) {
    return accepted();
  }
  return refused(Outcome.CONFLICT, "the outbox is full");
}
