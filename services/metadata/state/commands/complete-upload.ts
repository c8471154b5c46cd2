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
  type Encryption,
  EncryptionSchema,
  type Part,
  PartListSchema,
  type PartReference,
  type Upload,
  type Version,
} from "../../../lib/gen/dolium/record/v1/object_pb.ts";
import { readBucketState } from "../bucket-states.ts";
import { failedCondition } from "../conditions.ts";
import { type CommandContext, sequenceMs } from "../context.ts";
import { completedAgeKey, completedKey, partListKey, TABLE, tableRange } from "../keys.ts";
import { refusedLock } from "../locks.ts";
import { answeredId, stamped } from "../new-version.ts";
import { addEvent } from "../outbox.ts";
import { accepted, refused } from "../outcome.ts";
import { growthByVersion, refusedByQuota } from "../quotas.ts";
import { decodeRecord, insertRecord, putRecord, readRecord, type StateWriter } from "../records.ts";
import { withReplication } from "../replication.ts";
import { endUpload, readParts, readUpload } from "../uploads.ts";
import { partBytes } from "../usage.ts";
import { pushVersion, readHead, sequenceOf } from "../versions.ts";
import { refusedByLock, refusedBySeal } from "../write-checks.ts";

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
  const upload = readUpload(view, command);
  if (upload === undefined) return answerAgain(view, command);
  const place = { bucketId, key };
  const failed = failedCondition(command.condition, readHead(view, place));
  if (failed !== undefined) return refused(failed.outcome, failed.message);
  const state = readBucketState(view, bucketId);
  const named = namedVersion(upload, command);
  const refusal = refusedLock(state, named.lock) ?? refusedByLock(view, context, { state, place });
  if (refusal !== undefined) return refusal;
  const parts = await readParts(view, command);
  const wrong = wrongPart(command, parts);
  if (wrong !== undefined) {
    return refused(Outcome.INVALID_PART, `part ${wrong} is not there or was replaced`);
  }
  const { bytes, versions } = growthByVersion(view, { place, state }, named.size);
  // The parts count already: they become the version, or go.
  const growth = { bytes: bytes - partBytes(parts), versions };
  const over = refusedByQuota(context, { bucketId, state }, growth);
  if (over !== undefined) return over;
  const kept = new Set(command.parts.map(({ partNumber }) => partNumber));
  endUpload(view, context, { bucketId, key, uploadId, parts, kept });
  const list = create(PartListSchema, { parts: withNonces(command, parts) });
  putRecord(view, PartListSchema, { key: partListKey(bucketId, uploadId), record: list });
  const version = withReplication(stamped(named, state, context), state, place);
  pushVersion(view, context, { place, version });
  const versionId = answeredId(state, version);
  await forgetOldest(view, context);
  const { initiator } = upload;
  remember(view, { command, version, versionId, initiator });
  addEvent(view, context, { state, happening: { place, name: command.event, version } });
  const { modifiedMs } = version;
  const value = create(CompleteUploadReplySchema, { versionId, modifiedMs });
  return accepted({ case: "completeUpload", value });
}

/** The version to write; where the command is silent, what stands beside it is the upload's. */
function namedVersion(upload: Upload, { version, uploadId }: CompleteUpload): Version {
  const brought = present(version, "version");
  const lock = brought.lock ?? upload.lock;
  const acl = brought.acl ?? upload.acl;
  const encryption = brought.encryption ?? upload.encryption;
  const replication = brought.replication ?? upload.replication;
  return {
    ...brought,
    body: { case: "partListId", value: uploadId },
    tags: brought.tags.length > 0 ? brought.tags : upload.tags,
    ...(lock === undefined ? {} : { lock }),
    ...(acl === undefined ? {} : { acl }),
    ...(encryption === undefined ? {} : { encryption }),
    ...(replication === undefined ? {} : { replication }),
  };
}

/** The references of the command with the nonces under which the parts were sealed. */
function withNonces(command: CompleteUpload, parts: readonly Part[]): PartReference[] {
  const nonces = new Map(parts.map(({ partNumber, bodyNonce }) => [partNumber, bodyNonce]));
  return command.parts.map((part) => ({
    ...part,
    bodyNonce: present(nonces.get(part.partNumber), "a part's nonce"),
  }));
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

interface Completion {
  readonly command: CompleteUpload;
  readonly version: Version;
  /** As it was answered. */
  readonly versionId: Uint8Array;
  readonly initiator: string;
}

function remember(view: StateWriter, done: Completion): void {
  const { command, version, versionId, initiator } = done;
  const { bucketId, uploadId, key, partsDigest } = command;
  const { etag, checksums, size } = version;
  const sequence = sequenceOf(version.versionId);
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
    initiator,
    ...(version.encryption === undefined ? {} : { encryption: toldOf(version.encryption) }),
  });
  putRecord(view, CompletedUploadSchema, { key: completedKey(bucketId, uploadId), record });
  const age = create(CompletedAgeSchema, { bucketId, uploadId, completedMs });
  insertRecord(view, CompletedAgeSchema, { key: completedAgeKey(sequence), record: age });
}

/** What an answer says of an encryption; the data key stays with the version alone. */
function toldOf({ kind, keyName, bucketKey }: Encryption): Encryption {
  return create(EncryptionSchema, { kind, keyName, bucketKey });
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
