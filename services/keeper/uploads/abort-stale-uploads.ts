// Aborts multipart uploads that nobody touched for long, a few at once, each with some retries. The
// state machine checks the time again when it applies the abort, so that a part put meanwhile keeps
// its upload.
import { mapBounded } from "../../lib/base/bounded.ts";
import { toHex } from "../../lib/base/bytes.ts";
import { Outcome } from "../../lib/gen/dolium/record/v1/command_pb.ts";
import type { Upload } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import type { KeeperDeps } from "../deps.ts";

const PAGE_UPLOADS = 500;

export interface StaleUploadsRound {
  readonly aborted: number;
  /** Uploads whose abort failed to the last; a later round finds them again. */
  readonly failed: number;
}

/** One pass over a group. */
export async function abortStaleUploads(
  deps: Pick<KeeperDeps, "metadata" | "clock" | "log" | "config">,
  groupId: number,
  signal: AbortSignal,
): Promise<StaleUploadsRound> {
  const untouchedSinceMs = BigInt(Math.max(0, deps.clock.wallMs() - deps.config.staleUploadMs));
  const round = { aborted: 0, failed: 0 };
  let keyMarker: Uint8Array = new Uint8Array(0);
  let uploadIdMarker: Uint8Array = new Uint8Array(0);
  while (!signal.aborted) {
    const value = {
      bucketId: 0,
      untouchedSinceMs,
      limit: PAGE_UPLOADS,
      keyMarker,
      uploadIdMarker,
    };
    const page = await deps.metadata.query(groupId, { case: "listUploads", value });
    await mapBounded(page.uploads, deps.config.staleUploadWidth, async (upload) => {
      const result = await abort(deps, { groupId, upload, untouchedSinceMs, signal });
      if (result === "aborted") round.aborted += 1;
      if (result === "failed") round.failed += 1;
    });
    if (!page.truncated) break;
    keyMarker = page.nextKeyMarker;
    uploadIdMarker = page.nextUploadIdMarker;
  }
  return round;
}

async function abort(
  deps: Pick<KeeperDeps, "metadata" | "clock" | "log" | "config">,
  stale: {
    readonly groupId: number;
    readonly upload: Upload;
    readonly untouchedSinceMs: bigint;
    readonly signal: AbortSignal;
  },
): Promise<"aborted" | "kept" | "failed"> {
  const { groupId, upload, untouchedSinceMs, signal } = stale;
  const { bucketId, key, uploadId } = upload;
  const value = { bucketId, key, uploadId, ifUntouchedSinceMs: untouchedSinceMs };
  for (let attempt = 0; !signal.aborted; attempt += 1) {
    try {
      const reply = await deps.metadata.execute(groupId, { case: "abortUpload", value });
      return reply.outcome === Outcome.OK ? "aborted" : "kept";
    } catch (error) {
      const isLast = attempt >= deps.config.staleUploadRetries;
      const fields = { uploadId: toHex(uploadId), attempt, reason: String(error) };
      deps.log.warn(isLast ? "stale upload stays" : "stale upload not aborted yet", fields);
      if (isLast) return "failed";
    }
    await deps.clock.sleep(deps.config.staleUploadRetryMs, signal);
  }
  return "kept";
}
