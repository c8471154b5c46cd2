// AbortUpload: takes an upload away and frees its parts. Works on sealed buckets too: that is how
// their uploads become garbage.
import {
  type AbortUpload,
  Outcome,
  type Reply,
} from "../../../lib/gen/dolium/record/v1/command_pb.ts";
import type { CommandContext } from "../context.ts";
import { accepted, refused } from "../outcome.ts";
import type { StateWriter } from "../records.ts";
import { endUpload, readParts, readUpload } from "../uploads.ts";

export async function abortUpload(
  view: StateWriter,
  command: AbortUpload,
  context: CommandContext,
): Promise<Reply> {
  const { bucketId, key, uploadId, ifUntouchedSinceMs } = command;
  const upload = readUpload(view, command);
  if (upload === undefined) return refused(Outcome.NO_SUCH_UPLOAD, "the upload does not exist");
  if (ifUntouchedSinceMs !== undefined && upload.touchedMs > ifUntouchedSinceMs) {
    return refused(Outcome.CONFLICT, "the upload was touched meanwhile");
  }
  const parts = await readParts(view, command);
  endUpload(view, context, { bucketId, key, uploadId, parts, kept: new Set() });
  return accepted();
}
