// CompleteUpload: turns parts into a version in one step. The parts' manifests stay as they are, a
// part list names them; parts that are not in it are freed. The answer is remembered, so that the
// same Complete again, even much later, is answered alike.
import { create } from "@bufbuild/protobuf";
import { present } from "../../../lib/base/assert.ts";
import { equalBytes } from "../../../lib/base/bytes.ts";
import {
  type CompleteUpload,
  CompleteUploadReplySchema,
  Outcome,
  type Reply,
} from "../../../lib/gen/dolium/record/v1/command_pb.ts";
import { CompletedAgeSchema } from "../../../lib/gen/dolium/record/v1/group_pb.ts";
import {
  CompletedUploadSchema,
  type Part,
  PartListSchema,
  type Version,
} from "../../../lib/gen/dolium/record/v1/object_pb.ts";
import { readBucketState } from "../bucket-states.ts";
import { failedCondition } from "../conditions.ts";
import { type CommandContext, sequenceMs } from "../context.ts";
import { completedAgeKey, completedKey, partListKey, TABLE, tableRange } from "../keys.ts";
import { accepted, refused } from "../outcome.ts";
import { decodeRecord, insertRecord, putRecord, readRecord, type StateWriter } from "../records.ts";
import { endUpload, readParts, readUpload } from "../uploads.ts";
import { pushVersion, readHead, sequenceOf } from "../versions.ts";
import { refusedBySeal } from "../write-checks.ts";
import { stamped } from "./put-object.ts";

/** How long a completed upload is remembered. */
const REMEMBERED_MS = 24n * 3600n * 1000n;
/** Old ones forgotten with each new one: more than come in. */
const FORGOTTEN_AT_ONCE = 4;

export async function completeUpload(
  view: StateWriter,
  command: CompleteUpload,
  context: CommandContext,
): Promise<Reply> {
  const { bucketId, key, uploadId } = command;
  const no = refusedBySeal(view, bucketId);
  if (no !== undefined) return no;
  if (readUpload(view, command) === undefined) return answerAgain(view, command);
  const place = { bucketId, key };
  const failed = failedCondition(command.condition, readHead(view, place));
  if (failed !== undefined) return refused(failed.outcome, failed.message);
  const parts = await readParts(view, command);
  const wrong = wrongPart(command, parts);
  if (wrong !== undefined) {
    return refused(Outcome.INVALID_PART, `part ${wrong} is not there or was replaced`);
  }
  const kept = new Set(command.parts.map(({ partNumber }) => partNumber));
  endUpload(view, context, { bucketId, key, uploadId, parts, kept });
  const list = create(PartListSchema, { parts: command.parts });
  putRecord(view, PartListSchema, { key: partListKey(bucketId, uploadId), record: list });
  const named: Version = {
    ...present(command.version, "version"),
    body: { case: "partListId", value: uploadId },
  };
  const version = stamped(named, readBucketState(view, bucketId).versioning, context);
  pushVersion(view, context, { place, version });
  await forgetOldest(view, context);
  remember(view, command, version);
  const { versionId, modifiedMs } = version;
  const value = create(CompleteUploadReplySchema, { versionId, modifiedMs });
  return accepted({ case: "completeUpload", value });
}

/** The number of the first part that is not what the command names. */
function wrongPart(command: CompleteUpload, parts: readonly Part[]): number | undefined {
  const byNumber = new Map(parts.map((part) => [part.partNumber, part]));
  for (const { partNumber, manifestId, size } of command.parts) {
    const part = byNumber.get(partNumber);
    if (part === undefined || !equalBytes(part.manifestId, manifestId) || part.size !== size) {
      return partNumber;
    }
  }
  return undefined;
}

function answerAgain(view: StateWriter, command: CompleteUpload): Reply {
  const key = completedKey(command.bucketId, command.uploadId);
  const earlier = readRecord(view, CompletedUploadSchema, key);
  const isSame =
    earlier !== undefined &&
    equalBytes(earlier.key, command.key) &&
    equalBytes(earlier.partsDigest, command.partsDigest);
  if (!isSame) return refused(Outcome.NO_SUCH_UPLOAD, "the upload does not exist");
  const value = create(CompleteUploadReplySchema, {
    versionId: earlier.versionId,
    modifiedMs: earlier.completedMs,
    earlier,
  });
  return accepted({ case: "completeUpload", value });
}

function remember(view: StateWriter, command: CompleteUpload, version: Version): void {
  const { bucketId, uploadId, key, partsDigest } = command;
  const { etag, versionId, checksums, size } = version;
  const sequence = sequenceOf(versionId);
  const completedMs = sequenceMs(sequence);
  const record = create(CompletedUploadSchema, {
    uploadId,
    key,
    etag,
    versionId,
    completedMs,
    checksums,
    size,
    partsDigest,
  });
  putRecord(view, CompletedUploadSchema, { key: completedKey(bucketId, uploadId), record });
  const age = create(CompletedAgeSchema, { bucketId, uploadId, completedMs });
  insertRecord(view, CompletedAgeSchema, { key: completedAgeKey(sequence), record: age });
}

async function forgetOldest(view: StateWriter, context: CommandContext): Promise<void> {
  const oldest = await view.scan(tableRange(TABLE.completedAge), FORGOTTEN_AT_ONCE);
  for (const [key, payload] of oldest) {
    const { bucketId, uploadId, completedMs } = decodeRecord(CompletedAgeSchema, payload);
    if (completedMs + REMEMBERED_MS > context.timeMs) return;
    view.delete(key);
    view.delete(completedKey(bucketId, uploadId));
  }
}
