// ListMultipartUploads: uploads in progress, by key and then by id, which begins with the time.
import { toSafeNumber, utf8 } from "../../lib/base/bytes.ts";
import type { Upload } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import { invalidArgument } from "../../lib/s3/errors.ts";
import { type ListUploadsQuery, parseListUploads } from "../../lib/s3/list-query.ts";
import { type ListedUpload, listUploadsDocument } from "../../lib/s3/multipart-documents.ts";
import { type Answer, xmlAnswer } from "../answer.ts";
import { shownBucket, shownBytes, storedMarker, viewPrefix } from "../data/bucket-view.ts";
import { algorithmOf, typeOf } from "../data/checksum-records.ts";
import { keyText } from "../data/listing.ts";
import { queryAt } from "../data/name-space.ts";
import { shownOwner, shownStorageClass } from "../data/object-record.ts";
import { listOverRanges, type RangePage } from "../data/range-pages.ts";
import { parseUploadId, uploadIdText, uploadInitiator } from "../data/uploads.ts";
import {
  type BucketContext,
  type BucketOperation,
  callOptions,
  SMALL_BODY_BYTES_MAX,
} from "../operation.ts";

export const listMultipartUploads: BucketOperation = {
  name: "ListMultipartUploads",
  method: "GET",
  match: { level: "bucket", query: ["uploads"] },
  permission: "s3:ListBucketMultipartUploads",
  body: "none",
  bodyBytesMax: SMALL_BODY_BYTES_MAX,
  errors: ["InvalidArgument", "NoSuchBucket"],
  page: "ListMultipartUploads",
  scope: "bucket",
  requesterPays: true,
  run,
};

interface Marker {
  readonly key: Uint8Array;
  readonly uploadId: Uint8Array;
}

async function run(context: BucketContext): Promise<Answer> {
  const query = parseListUploads(context.request.target.query);
  const page = await listUploads(context, query);
  const { next } = page;
  await context.gateway.people.refresh(callOptions(context));
  const document = listUploadsDocument({
    bucket: shownBucket(context),
    keyMarker: query.keyMarker,
    uploadIdMarker: query.uploadIdMarker ?? "",
    nextKeyMarker: next === undefined ? undefined : keyOf(context, next.key),
    nextUploadIdMarker: next === undefined ? undefined : uploadIdText(next.uploadId),
    prefix: query.prefix,
    delimiter: query.delimiter,
    encodingType: query.encodingType,
    maxUploads: query.maxUploads,
    isTruncated: next !== undefined,
    uploads: page.entries.map((upload) => listed(context, upload)),
    commonPrefixes: page.commonPrefixes.map((prefix) => keyOf(context, prefix)),
  });
  return xmlAnswer(document);
}

/** As the client knows it. */
function keyOf(context: BucketContext, key: Uint8Array): string {
  return keyText(shownBytes(context, key));
}

function listed(context: BucketContext, upload: Upload): ListedUpload {
  const owner = shownOwner(upload.owner, context);
  return {
    key: keyOf(context, upload.key),
    uploadId: uploadIdText(upload.uploadId),
    initiator: shownOwner(uploadInitiator(upload), context),
    owner,
    storageClass: shownStorageClass(upload.storageClass),
    initiatedMs: toSafeNumber(upload.createdMs),
    checksumAlgorithm: algorithmOf(upload.checksumAlgorithm),
    checksumType: typeOf(upload.checksumType),
  };
}

function listUploads(
  context: BucketContext,
  query: ListUploadsQuery,
): Promise<RangePage<Upload, Marker>> {
  const { bucket } = context;
  const prefix = viewPrefix(context) + query.prefix;
  return listOverRanges<Upload, Marker>(context, {
    prefix,
    marker: markerOf(context, query),
    limit: query.maxUploads,
    ask: async (range, { key, uploadId }, limit) => {
      const answer = await queryAt<"listUploads">(
        context,
        { bucket, key: range.start },
        {
          case: "listUploads",
          value: {
            bucketId: bucket.bucketId,
            prefix: utf8(prefix),
            delimiter: utf8(query.delimiter ?? ""),
            keyMarker: key,
            uploadIdMarker: uploadId,
            limit,
          },
        },
      );
      const { uploads, nextKeyMarker, nextUploadIdMarker } = answer;
      const next = { key: nextKeyMarker, uploadId: nextUploadIdMarker };
      return { ...answer, entries: uploads, next };
    },
    afterEntry: (upload) => upload,
    afterPrefix: (key) => ({ key, uploadId: new Uint8Array(0) }),
  });
}

function markerOf(context: BucketContext, { keyMarker, uploadIdMarker }: ListUploadsQuery): Marker {
  const key = storedMarker(context, utf8(keyMarker));
  if (uploadIdMarker === undefined) return { key, uploadId: new Uint8Array(0) };
  const uploadId = parseUploadId(uploadIdMarker);
  if (uploadId !== undefined) return { key, uploadId };
  throw invalidArgument("Invalid uploadId marker", "upload-id-marker", uploadIdMarker);
}
