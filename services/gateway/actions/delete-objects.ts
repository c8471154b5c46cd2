// DeleteObjects: up to 1,000 keys in one request, each with its own outcome. The body must be
// covered by Content-MD5 or a checksum, as on AWS: a mangled list of keys to delete is the worst
// kind of damage.
import { present } from "../../lib/base/assert.ts";
import { utf8 } from "../../lib/base/bytes.ts";
import { isStoreError } from "../../lib/base/errors.ts";
import { COMPLETE_XML_BYTES_MAX } from "../../lib/base/limits.ts";
import type { DeleteObjectsReply_Result } from "../../lib/gen/dolium/record/v1/command_pb.ts";
import { checkKey } from "../../lib/s3/addressing.ts";
import { parseChecksumHeaders } from "../../lib/s3/checksum-headers.ts";
import type { DeleteConditions } from "../../lib/s3/conditions.ts";
import { refuseManagedEncryption } from "../../lib/s3/encryption-headers.ts";
import { invalidArgument, S3Error } from "../../lib/s3/errors.ts";
import { parseHttpDate, parseIsoDate } from "../../lib/s3/http-date.ts";
import {
  type DeletedObject,
  type DeleteFailure,
  deleteDocument,
} from "../../lib/s3/object-documents.ts";
import { type DeleteEntry, parseDelete } from "../../lib/s3/xml-requests.ts";
import { type Answer, xmlAnswer } from "../answer.ts";
import { allowVersion } from "../data/access/access-check.ts";
import { allowDeleteConditions } from "../data/access/condition-rights.ts";
import { storedKey } from "../data/bucket-view.ts";
import { type DeleteTarget, deleteTargets } from "../data/object-delete.ts";
import { bypassesGovernance } from "../data/object-lock.ts";
import { parseVersionId, versionIdText } from "../data/version-id.ts";
import { deleteCondition } from "../data/write-condition.ts";
import { checkOutcome, toS3Error } from "../error-mapper.ts";
import type { BucketContext, BucketOperation } from "../operation.ts";

export const deleteObjects: BucketOperation = {
  name: "DeleteObjects",
  method: "POST",
  match: { level: "bucket", query: ["delete"] },
  permission: "s3:DeleteObject",
  body: "xml",
  bodyBytesMax: COMPLETE_XML_BYTES_MAX,
  errors: [
    "AccessDenied",
    "BadDigest",
    "InvalidDigest",
    "InvalidRequest",
    "MalformedXML",
    "NoSuchBucket",
  ],
  page: "DeleteObjects",
  scope: "bucket",
  requesterPays: true,
  asksItself: true,
  run,
};

type Outcome = DeletedObject | DeleteFailure;

async function run(context: BucketContext): Promise<Answer> {
  const { headers } = context.request;
  refuseManagedEncryption(headers);
  requireDigest(context);
  const { entries, quiet } = parseDelete(context.document);
  const outcomes = new Array<Outcome>(entries.length);
  const targets: DeleteTarget[] = [];
  const positions: number[] = [];
  for (const [position, entry] of entries.entries()) {
    try {
      targets.push(await targetOf(context, entry));
      positions.push(position);
    } catch (error) {
      if (!(error instanceof S3Error)) throw error;
      outcomes[position] = failure(entry, error);
    }
  }
  const results = targets.length === 0 ? [] : await deleteTargets(context, targets);
  results.forEach((result, at) => {
    const position = present(positions[at], "position");
    const entry = present(entries[position], "entry");
    outcomes[position] = outcomeOf(entry, result);
  });
  return xmlAnswer(deleteDocument({ quiet, outcomes }));
}

function requireDigest({ request }: BucketContext): void {
  const { headers } = request;
  if (headers.has("content-md5") || parseChecksumHeaders(headers) !== undefined) return;
  throw new S3Error(
    "InvalidRequest",
    "Missing required header for this request: Content-MD5 OR x-amz-checksum-*",
  );
}

/** Each key is decided on its own: who may not delete one loses that entry only. */
async function targetOf(context: BucketContext, entry: DeleteEntry): Promise<DeleteTarget> {
  const { bucket, request } = context;
  const key = storedKey(context, checkKey(entry.key));
  const { etag, size, versionId } = entry;
  const permission = versionId === undefined ? "s3:DeleteObject" : "s3:DeleteObjectVersion";
  await allowVersion(context, { permission, bucket, key, versionId });
  const bypassGovernance = bypassesGovernance(context, key);
  const conditions: DeleteConditions = {
    match: etag === undefined ? { kind: "none" } : { kind: "if-match", etag },
    lastModifiedMs: timeOf(entry, request.receivedMs),
    sizeBytes: size,
  };
  await allowDeleteConditions(context, key, conditions);
  const { condition } = deleteCondition(conditions);
  return { key: utf8(key), versionId: parseVersionId(versionId), condition, bypassGovernance };
}

function timeOf({ lastModifiedTime: text }: DeleteEntry, nowMs: number): number | undefined {
  if (text === undefined) return undefined;
  const time = parseHttpDate(text, nowMs) ?? parseIsoDate(text);
  if (time === undefined) throw invalidArgument("Invalid date", "LastModifiedTime", text);
  return time;
}

function outcomeOf(entry: DeleteEntry, result: DeleteObjectsReply_Result): Outcome {
  try {
    checkOutcome(result.outcome, "");
  } catch (error) {
    // The whole bucket is going: that is no outcome of one key.
    if (isStoreError(error, "sealed")) throw error;
    return failure(entry, toS3Error(error));
  }
  const { deleteMarker } = result;
  const named = entry.versionId ?? versionIdText(result.versionId);
  return {
    kind: "deleted",
    key: entry.key,
    versionId: entry.versionId,
    ...(deleteMarker ? { deleteMarker, deleteMarkerVersionId: named } : {}),
  };
}

function failure(entry: DeleteEntry, error: S3Error): DeleteFailure {
  const { code, message } = error;
  return { kind: "error", key: entry.key, versionId: entry.versionId, code, message };
}
