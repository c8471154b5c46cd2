// RewriteManifest: the same bytes in other chunks, under the same manifest id. What was
// acknowledged with its shards in one campus comes to lie where its bucket's policy wants it;
// versions, part lists and uploads name the manifest as before. The former shards become garbage
// in the same batch. Where it is refused, what was written has no owner, and the sweeper finds it.
import {
  Outcome,
  type Reply,
  type RewriteManifest,
} from "../../../lib/gen/dolium/record/v1/command_pb.ts";
import type { CommandContext } from "../context.ts";
import { freeManifest, readManifest, storeManifest } from "../manifests.ts";
import { accepted, refused } from "../outcome.ts";
import type { StateWriter } from "../records.ts";

export function rewriteManifest(
  view: StateWriter,
  command: RewriteManifest,
  context: CommandContext,
): Reply {
  const { bucketId, manifest, begunMs } = command;
  if (manifest === undefined) return refused(Outcome.UNSPECIFIED, "no manifest");
  if (begunMs < context.meta.fenceMs) {
    return refused(Outcome.FENCED, "the writing began before the fence: start again");
  }
  const { manifestId } = manifest;
  const former = readManifest(view, bucketId, manifestId);
  if (former === undefined) return refused(Outcome.NO_SUCH_KEY, "the manifest is gone");
  if (former.followPolicy === "") {
    return refused(Outcome.CONFLICT, "the manifest follows no policy any more");
  }
  if (former.size !== manifest.size) {
    return refused(Outcome.CONFLICT, "the manifest has another size");
  }
  freeManifest(view, context, { bucketId, manifestId });
  storeManifest(view, context, { bucketId, manifest });
  return accepted();
}
