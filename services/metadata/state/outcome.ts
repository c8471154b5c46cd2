// Replies of the state machine in short.
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Outcome, type Reply, ReplySchema } from "../../lib/gen/dolium/record/v1/command_pb.ts";

export type ReplyKind = NonNullable<MessageInitShape<typeof ReplySchema>["kind"]>;

export function accepted(kind?: ReplyKind): Reply {
  return create(ReplySchema, { outcome: Outcome.OK, ...(kind === undefined ? {} : { kind }) });
}

/** The state says no; `message` tells people why. */
export function refused(outcome: Outcome, message: string, kind?: ReplyKind): Reply {
  return create(ReplySchema, { outcome, message, ...(kind === undefined ? {} : { kind }) });
}
