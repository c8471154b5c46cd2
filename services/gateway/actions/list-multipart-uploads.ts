// ListMultipartUploads: uploads in progress, by key and then by id, which begins with the time.
import { compareBytes, toSafeNumber, utf8 } from "../../lib/base/bytes.ts";
import type { Upload } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import { invalidArgument } from "../../lib/s3/errors.ts";
import { type ListUploadsQuery, parseListUploads } from "../../lib/s3/list-query.ts";
import { type ListedUpload, listUploadsDocument } from "../../lib/s3/multipart-documents.ts";
import { type Answer, xmlAnswer } from "../answer.ts";
import { algorithmOf, typeOf } from "../data/checksum-records.ts";
import { keyText } from "../data/listing.ts";
import { queryAt } from "../data/name-space.ts";
import { shownOwner, shownStorageClass } from "../data/object-record.ts";
import { parseUploadId, uploadIdText } from "../data/uploads.ts";
import { type BucketContext, type BucketOperation, SMALL_BODY_BYTES_MAX } from "../operation.ts";

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
  run,
};

interface Marker {
  readonly key: Uint8Array;
  readonly uploadId: Uint8Array;
}

interface Page {
  readonly uploads: readonly Upload[];
  readonly commonPrefixes: readonly Uint8Array[];
  readonly next: Marker | undefined;
}

async function run(context: BucketContext): Promise<Answer> {
  const { request, bucket } = context;
  const query = parseListUploads(request.target.query);
  const page = await listUploads(context, query);
  const { next } = page;
  const document = listUploadsDocument({
    bucket: bucket.name,
    keyMarker: query.keyMarker,
    uploadIdMarker: query.uploadIdMarker ?? "",
    nextKeyMarker: next === undefined ? undefined : keyText(next.key),
    nextUploadIdMarker: next === undefined ? undefined : uploadIdText(next.uploadId),
    prefix: query.prefix,
    delimiter: query.delimiter,
    encodingType: query.encodingType,
    maxUploads: query.maxUploads,
    isTruncated: next !== undefined,
    uploads: page.uploads.map((upload) => listed(context, upload)),
    commonPrefixes: page.commonPrefixes.map(keyText),
  });
  return xmlAnswer(document);
}

function listed({ identity }: BucketContext, upload: Upload): ListedUpload {
  const owner = shownOwner(upload.owner, identity);
  return {
    key: keyText(upload.key),
    uploadId: uploadIdText(upload.uploadId),
    initiator: owner,
    owner,
    storageClass: shownStorageClass(upload.storageClass),
    initiatedMs: toSafeNumber(upload.createdMs),
    checksumAlgorithm: algorithmOf(upload.checksumAlgorithm),
    checksumType: typeOf(upload.checksumType),
  };
}

/** A page over the ranges of the bucket, in key order. */
async function listUploads(context: BucketContext, query: ListUploadsQuery): Promise<Page> {
  const { bucket } = context;
  const uploads: Upload[] = [];
  const commonPrefixes: Uint8Array[] = [];
  let marker = markerOf(query);
  let left = query.maxUploads;
  if (left === 0) return { uploads, commonPrefixes, next: undefined };
  for (const range of bucket.ranges) {
    const isHere = (key: Uint8Array): boolean =>
      range.end.byteLength === 0 || compareBytes(key, range.end) < 0;
    const answer = await queryAt<"listUploads">(
      context,
      { bucket, key: range.start },
      {
        case: "listUploads",
        value: {
          bucketId: bucket.bucketId,
          prefix: utf8(query.prefix),
          delimiter: utf8(query.delimiter ?? ""),
          keyMarker: marker.key,
          uploadIdMarker: marker.uploadId,
          limit: Math.max(left, 1),
        },
      },
    );
    const here = answer.uploads.filter(({ key }) => isHere(key));
    const prefixes = answer.commonPrefixes.filter(isHere);
    const found = here.length + prefixes.length;
    if (left === 0 && found > 0) return { uploads, commonPrefixes, next: marker };
    if (left === 0) continue;
    uploads.push(...here);
    commonPrefixes.push(...prefixes);
    left -= found;
    const next = { key: answer.nextKeyMarker, uploadId: answer.nextUploadIdMarker };
    if (answer.truncated && isHere(next.key)) return { uploads, commonPrefixes, next };
    marker = lastOf(here, prefixes) ?? marker;
  }
  return { uploads, commonPrefixes, next: undefined };
}

function markerOf({ keyMarker, uploadIdMarker }: ListUploadsQuery): Marker {
  const key = utf8(keyMarker);
  if (uploadIdMarker === undefined) return { key, uploadId: new Uint8Array(0) };
  const uploadId = parseUploadId(uploadIdMarker);
  if (uploadId !== undefined) return { key, uploadId };
  throw invalidArgument("Invalid uploadId marker", "upload-id-marker", uploadIdMarker);
}

function lastOf(uploads: readonly Upload[], prefixes: readonly Uint8Array[]): Marker | undefined {
  const upload = uploads.at(-1);
  const prefix = prefixes.at(-1);
  if (prefix !== undefined && (upload === undefined || compareBytes(prefix, upload.key) > 0)) {
    return { key: prefix, uploadId: new Uint8Array(0) };
  }
  return upload;
}
