// FinishOutbox: forgets entries that are carried out. What is gone already is fine.
import type { FinishOutbox, Reply } from "../../../lib/gen/dolium/record/v1/command_pb.ts";
import type { CommandContext } from "../context.ts";
import { removeFromOutbox } from "../outbox.ts";
import { accepted } from "../outcome.ts";
import type { StateWriter } from "../records.ts";

export function finishOutbox(
  view: StateWriter,
  command: FinishOutbox,
  context: CommandContext,
): Reply {
  for (const sequence of command.sequences) removeFromOutbox(view, context, sequence);
  return accepted();
}
