// CompleteMultipartUpload. One command turns the parts into the object; a request repeated after a
// lost answer gets the same answer again.
import { equalBytes, toSafeNumber } from "../../lib/base/bytes.ts";
import { StoreError } from "../../lib/base/errors.ts";
import { COMPLETE_XML_BYTES_MAX } from "../../lib/base/limits.ts";
import type { CompleteUploadReply } from "../../lib/gen/dolium/record/v1/command_pb.ts";
import type { CompletedUpload, Upload } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import {
  checkChecksum,
  parseChecksumHeaders,
  parseChecksumType,
} from "../../lib/s3/checksum-headers.ts";
import { parseWriteCondition } from "../../lib/s3/conditions.ts";
import type { StoredChecksum } from "../../lib/s3/document-parts.ts";
import { invalidArgument, S3Error } from "../../lib/s3/errors.ts";
import { parseDecimal } from "../../lib/s3/integers.ts";
import { completeMultipartUploadDocument } from "../../lib/s3/multipart-documents.ts";
import { type CompletedPart, parseCompleteMultipartUpload } from "../../lib/s3/xml-requests.ts";
import { type Answer, xmlAnswer } from "../answer.ts";
import { allowWriteCondition } from "../data/access/condition-rights.ts";
import { shownBucket, shownKey } from "../data/bucket-view.ts";
import { fromRecord, toRecord, typeOf } from "../data/checksum-records.ts";
import { answerWithin, holding } from "../data/late-answer.ts";
import { executeAt } from "../data/name-space.ts";
import { expirationFields } from "../data/object-expiration.ts";
import { objectLocation } from "../data/object-location.ts";
import { checkCompletionKey } from "../data/sealing.ts";
import { completedEncryptionFields } from "../data/sealing-fields.ts";
import { assembleParts, type CompletedBody, digestOfRequest } from "../data/upload-completion.ts";
import { askParts, noSuchUpload, requestedUploadId, uploadIdText } from "../data/uploads.ts";
import { isVersioned, versionIdFields, versionIdText } from "../data/version-id.ts";
import { type CommandCondition, commandCondition } from "../data/write-condition.ts";
import type { ObjectContext, ObjectOperation } from "../operation.ts";

export const completeMultipartUpload: ObjectOperation = {
  name: "CompleteMultipartUpload",
  method: "POST",
  match: { level: "object", query: ["uploadId"] },
  permission: "s3:PutObject",
  body: "xml",
  bodyBytesMax: COMPLETE_XML_BYTES_MAX,
  // They are about the object, not about the document.
  bodyChecksums: false,
  errors: [
    "BadDigest",
    "EntityTooLarge",
    "EntityTooSmall",
    "InvalidArgument",
    "InvalidPart",
    "InvalidPartOrder",
    "InvalidRequest",
    "MalformedXML",
    "NoSuchBucket",
    "NoSuchUpload",
    "PreconditionFailed",
    "QuotaExceeded",
  ],
  page: "CompleteMultipartUpload",
  scope: "object",
  ofUpload: true,
  run,
};

async function run(context: ObjectContext): Promise<Answer> {
  const { request, gateway } = context;
  const { headers } = request;
  await allowWriteCondition(context, headers);
  const uploadId = requestedUploadId(context);
  const lenient = gateway.settings.lenient.partsWithoutEtag;
  const named = parseCompleteMultipartUpload(context.document, { lenient });
  const condition = commandCondition(parseWriteCondition(headers));
  const everyMs = gateway.settings.completeKeepAliveMs;
  return answerWithin(gateway.dependencies.clock, everyMs, () =>
    holding(gateway.completions, context.signal, () =>
      complete(context, { uploadId, named, condition }),
    ),
  );
}

interface Completing {
  readonly uploadId: Uint8Array;
  readonly named: readonly CompletedPart[];
  readonly condition: CommandCondition;
}

async function complete(
  context: ObjectContext,
  { uploadId, named, condition }: Completing,
): Promise<Answer> {
  const partsDigest = digestOfRequest(named);
  const partNumbers = named.map(({ partNumber }) => partNumber);
  const { upload, parts, completed } = await askParts(context, uploadId, partNumbers);
  if (completed !== undefined && equalBytes(completed.partsDigest, partsDigest)) {
    return repeatedAnswer(context, completed);
  }
  if (upload === undefined) throw noSuchUpload(uploadIdText(uploadId));
  checkCompletionKey(context, upload);
  const { checksums } = context.gateway;
  const body = assembleParts(upload, { named, stored: parts }, checksums);
  checkClaims(context, upload, body);
  const reply = await commit(context, { upload, body, condition, partsDigest });
  if (reply.earlier !== undefined) return repeatedAnswer(context, reply.earlier);
  const { versionId } = reply;
  const modifiedMs = toSafeNumber(reply.modifiedMs);
  const made = answer(context, { ...body, versionId: versionIdText(versionId) });
  const fields = [
    ...completedEncryptionFields(context, upload.encryption),
    ...expirationFields(context, { size: body.size, tags: upload.tags, modifiedMs }),
  ];
  return { ...made, headers: [...made.headers, ...fields] };
}

/** What the request says about the whole object must be so. */
function checkClaims(context: ObjectContext, upload: Upload, body: CompletedBody): void {
  const { headers } = context.request;
  const sizeText = headers.get("x-amz-mp-object-size");
  if (sizeText !== undefined) {
    const size = parseDecimal(sizeText);
    if (size === undefined) {
      throw invalidArgument("The object size is not a number.", "x-amz-mp-object-size", sizeText);
    }
    if (size !== body.size) {
      throw new S3Error(
        "InvalidRequest",
        `The provided 'x-amz-mp-object-size' header value ${size} does not match what was ` +
          `computed: ${body.size}`,
      );
    }
  }
  const type = parseChecksumType(headers);
  const agreed = typeOf(upload.checksumType);
  if (type !== undefined && agreed !== undefined && type !== agreed) {
    throw new S3Error(
      "InvalidRequest",
      `The upload was created using the ${agreed} checksum mode. The complete request must use ` +
        "the same checksum mode.",
    );
  }
  const claimed = parseChecksumHeaders(headers);
  const computed = body.checksums.find(({ algorithm }) => algorithm === claimed?.algorithm);
  if (claimed?.value.kind !== "header" || computed?.type !== "FULL_OBJECT") return;
  checkChecksum(claimed.algorithm, claimed.value.digest, computed.digest);
}

interface Completion {
  readonly upload: Upload;
  readonly body: CompletedBody;
  readonly condition: CommandCondition;
  readonly partsDigest: Uint8Array;
}

/** Commits; the reply has the earlier completion when the same parts were completed before. */
async function commit(
  context: ObjectContext,
  { upload, body, condition, partsDigest }: Completion,
): Promise<CompleteUploadReply> {
  const { bucket, key } = context;
  const { uploadId } = upload;
  const place = { bucket, key, condition: condition.header };
  const reply = await executeAt(context, place, {
    case: "completeUpload",
    value: {
      bucketId: bucket.bucketId,
      key,
      uploadId,
      parts: body.parts.map(({ partNumber, size, md5, checksums, manifestId, bodyNonce }) => ({
        partNumber,
        size,
        md5,
        checksums,
        manifestId,
        bodyNonce,
      })),
      version: {
        size: BigInt(body.size),
        etag: body.etag,
        ...(upload.headers === undefined ? {} : { headers: upload.headers }),
        checksums: body.checksums.map(toRecord),
        storageClass: upload.storageClass,
        owner: upload.owner,
        body: { case: "partListId", value: uploadId },
        tags: upload.tags,
        ...(upload.lock === undefined ? {} : { lock: upload.lock }),
        ...(upload.acl === undefined ? {} : { acl: upload.acl }),
        ...(upload.encryption === undefined ? {} : { encryption: upload.encryption }),
      },
      condition: condition.condition,
      event: "ObjectCreated:CompleteMultipartUpload",
      partsDigest,
    },
  });
  if (reply.kind.case !== "completeUpload") {
    throw new StoreError("internal", "a completion was answered by another reply");
  }
  return reply.kind.value;
}

function repeatedAnswer(context: ObjectContext, completed: CompletedUpload): Answer {
  const { etag, checksums, versionId, encryption } = completed;
  const made = answer(context, {
    etag,
    checksums: checksums.map(fromRecord),
    versionId: isVersioned(context.bucket) ? versionIdText(versionId) : undefined,
  });
  const fields = completedEncryptionFields(context, encryption);
  return { ...made, headers: [...made.headers, ...fields] };
}

interface Told {
  readonly etag: string;
  readonly checksums: readonly StoredChecksum[];
  readonly versionId: string | undefined;
}

function answer(context: ObjectContext, { etag, checksums, versionId }: Told): Answer {
  const location = objectLocation(context);
  const [bucket, key] = [shownBucket(context), shownKey(context)];
  const result = { location, bucket, key, etag, checksums };
  return xmlAnswer(completeMultipartUploadDocument(result), versionIdFields(versionId));
}
