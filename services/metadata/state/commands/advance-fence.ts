// AdvanceFence: from now on manifests begun before the fence are refused. It never moves back.
import { create } from "@bufbuild/protobuf";
import {
  type AdvanceFence,
  AdvanceFenceReplySchema,
  type Reply,
} from "../../../lib/gen/dolium/record/v1/command_pb.ts";
import type { CommandContext } from "../context.ts";
import { accepted } from "../outcome.ts";
import type { StateWriter } from "../records.ts";

export function advanceFence(
  _view: StateWriter,
  command: AdvanceFence,
  context: CommandContext,
): Reply {
  if (command.fenceMs > context.meta.fenceMs) context.meta.fenceMs = command.fenceMs;
  const value = create(AdvanceFenceReplySchema, { fenceMs: context.meta.fenceMs });
  return accepted({ case: "advanceFence", value });
}
