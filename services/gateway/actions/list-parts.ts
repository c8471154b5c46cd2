// ListParts: the parts of an upload in progress, by number.
import { toHex, toSafeNumber } from "../../lib/base/bytes.ts";
import { parseListParts } from "../../lib/s3/list-query.ts";
import { listPartsDocument } from "../../lib/s3/multipart-documents.ts";
import { type Answer, xmlAnswer } from "../answer.ts";
import { shownBucket, shownKey } from "../data/bucket-view.ts";
import { algorithmOf, fromRecord, typeOf } from "../data/checksum-records.ts";
import { queryAt } from "../data/name-space.ts";
import { abortFields } from "../data/object-expiration.ts";
import { shownOwner, shownStorageClass } from "../data/object-record.ts";
import { noSuchUpload, requestedUploadId, uploadIdText, uploadInitiator } from "../data/uploads.ts";
import {
  callOptions,
  type ObjectContext,
  type ObjectOperation,
  SMALL_BODY_BYTES_MAX,
} from "../operation.ts";

export const listParts: ObjectOperation = {
  name: "ListParts",
  method: "GET",
  match: { level: "object", query: ["uploadId"] },
  permission: "s3:ListMultipartUploadParts",
  body: "none",
  bodyBytesMax: SMALL_BODY_BYTES_MAX,
  errors: ["InvalidArgument", "NoSuchBucket", "NoSuchUpload"],
  page: "ListParts",
  scope: "object",
  ofUpload: true,
  run,
};

async function run(context: ObjectContext): Promise<Answer> {
  const { bucket, key, request } = context;
  const uploadId = requestedUploadId(context);
  const { maxParts, partNumberMarker, encodingType } = parseListParts(request.target.query);
  const answer = await queryAt<"listParts">(
    context,
    { bucket, key },
    {
      case: "listParts",
      value: {
        bucketId: bucket.bucketId,
        key,
        uploadId,
        afterPartNumber: partNumberMarker,
        limit: maxParts,
      },
    },
  );
  await context.gateway.people.refresh(callOptions(context));
  const { upload } = answer;
  if (upload === undefined) throw noSuchUpload(uploadIdText(uploadId));
  const parts = answer.parts.map((part) => ({
    partNumber: part.partNumber,
    lastModifiedMs: toSafeNumber(part.modifiedMs),
    etag: toHex(part.md5),
    size: toSafeNumber(part.size),
    checksums: part.checksums.map(fromRecord),
  }));
  const isTruncated = answer.truncated && maxParts > 0;
  const owner = shownOwner(upload.owner, context);
  const document = listPartsDocument({
    bucket: shownBucket(context),
    key: shownKey(context),
    uploadId: uploadIdText(uploadId),
    partNumberMarker,
    nextPartNumberMarker: parts.at(-1)?.partNumber,
    maxParts,
    encodingType,
    isTruncated,
    parts,
    initiator: shownOwner(uploadInitiator(upload), context),
    owner,
    storageClass: shownStorageClass(upload.storageClass),
    checksumAlgorithm: algorithmOf(upload.checksumAlgorithm),
    checksumType: typeOf(upload.checksumType),
  });
  return xmlAnswer(document, abortFields(context, toSafeNumber(upload.createdMs)));
}
