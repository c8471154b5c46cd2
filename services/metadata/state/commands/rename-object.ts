// RenameObject: gives the current version of one key to another in one step. Manifests keep the key
// under which they were written, as the headers of their shards do.
import type { RenameObject, Reply } from "../../../lib/gen/dolium/record/v1/command_pb.ts";
import { Outcome } from "../../../lib/gen/dolium/record/v1/command_pb.ts";
import { hasVersions, readBucketState } from "../bucket-states.ts";
import { failedCondition } from "../conditions.ts";
import type { CommandContext } from "../context.ts";
import { isLocked } from "../locks.ts";
import { addEvent } from "../outbox.ts";
import { accepted, refused } from "../outcome.ts";
import type { StateWriter } from "../records.ts";
import { hasOtherVersions, moveHead, readHead } from "../versions.ts";
import { refusedBySeal } from "../write-checks.ts";

export async function renameObject(
  view: StateWriter,
  command: RenameObject,
  context: CommandContext,
): Promise<Reply> {
  const { bucketId, event: name } = command;
  const from = { bucketId, key: command.sourceKey };
  const to = { bucketId, key: command.targetKey };
  const no = refusedBySeal(view, bucketId);
  if (no !== undefined) return no;
  const state = readBucketState(view, bucketId);
  const source = readHead(view, from);
  const target = readHead(view, to);
  const isVersioned =
    hasVersions(state) ||
    (await hasOtherVersions(view, context, from)) ||
    (await hasOtherVersions(view, context, to));
  if (isVersioned) return refused(Outcome.CONFLICT, "the bucket has versioning");
  if (source === undefined || source.deleteMarker) {
    return refused(Outcome.NO_SUCH_KEY, "the key does not exist");
  }
  const failed =
    failedCondition(command.sourceCondition, source) ??
    failedCondition(command.targetCondition, target);
  if (failed !== undefined) return refused(failed.outcome, failed.message);
  const attempt = { timeMs: context.timeMs, bypassGovernance: false };
  if ([source, target].some((version) => version !== undefined && isLocked(version, attempt))) {
    return refused(Outcome.LOCKED, "the version is locked");
  }
  const version = moveHead(view, context, { from, to });
  addEvent(view, context, { state, happening: { place: to, name, version } });
  return accepted();
}
