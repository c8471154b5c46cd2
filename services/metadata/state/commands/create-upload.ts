// CreateUpload: begins a multipart upload under an id that the gateway made.
import { present } from "../../../lib/base/assert.ts";
import {
  type CreateUpload,
  Outcome,
  type Reply,
} from "../../../lib/gen/dolium/record/v1/command_pb.ts";
import { UploadSchema } from "../../../lib/gen/dolium/record/v1/object_pb.ts";
import { readBucketState } from "../bucket-states.ts";
import type { CommandContext } from "../context.ts";
import { completedKey, uploadKey } from "../keys.ts";
import { refusedLock } from "../locks.ts";
import { accepted, refused } from "../outcome.ts";
import { growthByVersion, refusedByQuota } from "../quotas.ts";
import { putRecord, type StateWriter } from "../records.ts";
import { readUpload } from "../uploads.ts";
import { refusedBySeal } from "../write-checks.ts";

export function createUpload(
  view: StateWriter,
  command: CreateUpload,
  context: CommandContext,
): Reply {
  const upload = present(command.upload, "upload");
  const { bucketId, key, uploadId } = upload;
  const state = readBucketState(view, bucketId);
  // Where not a byte more fits, the client had better know before it sends its parts.
  const { versions } = growthByVersion(view, { place: upload, state }, 1n);
  const no =
    refusedBySeal(view, bucketId) ??
    refusedLock(state, upload.lock) ??
    refusedByQuota(context, { bucketId, state }, { bytes: 1n, versions });
  if (no !== undefined) return no;
  const isUsed =
    readUpload(view, upload) !== undefined ||
    view.get(completedKey(bucketId, uploadId)) !== undefined;
  if (isUsed) return refused(Outcome.EXISTS, "an upload of this id exists");
  const { timeMs } = context;
  const record = { ...upload, createdMs: timeMs, touchedMs: timeMs };
  putRecord(view, UploadSchema, { key: uploadKey(bucketId, key, uploadId), record });
  context.count("uploads", 1);
  return accepted();
}
