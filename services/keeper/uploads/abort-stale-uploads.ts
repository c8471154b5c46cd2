// Aborts multipart uploads that nobody touched for long. The state machine checks the time again
// when it applies the abort, so that a part put meanwhile keeps its upload.
import { Outcome } from "../../lib/gen/dolium/record/v1/command_pb.ts";
import type { KeeperDeps } from "../deps.ts";

const PAGE_UPLOADS = 500;

/** One pass over a group; returns the number of uploads aborted. */
export async function abortStaleUploads(
  deps: KeeperDeps,
  groupId: number,
  signal: AbortSignal,
): Promise<number> {
  const untouchedSinceMs = BigInt(Math.max(0, deps.clock.wallMs() - deps.config.staleUploadMs));
  let keyMarker: Uint8Array = new Uint8Array(0);
  let uploadIdMarker: Uint8Array = new Uint8Array(0);
  let aborted = 0;
  for (;;) {
    const value = {
      bucketId: 0,
      untouchedSinceMs,
      limit: PAGE_UPLOADS,
      keyMarker,
      uploadIdMarker,
    };
    const page = await deps.metadata.query(groupId, { case: "listUploads", value });
    for (const { bucketId, key, uploadId } of page.uploads) {
      if (signal.aborted) return aborted;
      const abort = { bucketId, key, uploadId, ifUntouchedSinceMs: untouchedSinceMs };
      const reply = await deps.metadata.execute(groupId, { case: "abortUpload", value: abort });
      if (reply.outcome === Outcome.OK) aborted += 1;
    }
    if (!page.truncated) return aborted;
    keyMarker = page.nextKeyMarker;
    uploadIdMarker = page.nextUploadIdMarker;
  }
}
