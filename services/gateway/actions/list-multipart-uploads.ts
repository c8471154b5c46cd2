// ListMultipartUploads: uploads in progress, by key and then by id, which begins with the time.
import { compareBytes, toSafeNumber, utf8 } from "../../lib/base/bytes.ts";
import type { RangeRecord } from "../../lib/gen/dolium/record/v1/cluster_pb.ts";
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
  requesterPays: true,
  run,
};

interface Marker {
  readonly key: Uint8Array;
  readonly uploadId: Uint8Array;
}

/** Most questions asked of groups for one page. */
const QUERIES_MAX = 32;

interface PageState {
  readonly uploads: Upload[];
  readonly commonPrefixes: Uint8Array[];
  marker: Marker;
  left: number;
  queriesLeft: number;
}

interface Page {
  readonly uploads: readonly Upload[];
  readonly commonPrefixes: readonly Uint8Array[];
  readonly next: Marker | undefined;
}

async function run(context: BucketContext): Promise<Answer> {
  const query = parseListUploads(context.request.target.query);
  const page = await listUploads(context, query);
  const { next } = page;
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
    uploads: page.uploads.map((upload) => listed(context, upload)),
    commonPrefixes: page.commonPrefixes.map((prefix) => keyOf(context, prefix)),
  });
  return xmlAnswer(document);
}

/** As the client knows it. */
function keyOf(context: BucketContext, key: Uint8Array): string {
  return keyText(shownBytes(context, key));
}

function listed(context: BucketContext, upload: Upload): ListedUpload {
  const owner = shownOwner(upload.owner, context.identity);
  return {
    key: keyOf(context, upload.key),
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
  const state: PageState = {
    uploads: [],
    commonPrefixes: [],
    marker: markerOf(context, query),
    left: query.maxUploads,
    queriesLeft: QUERIES_MAX,
  };
  if (state.left > 0) {
    for (const range of context.bucket.ranges) {
      const next = await listRange(context, { query, range, state });
      if (next !== undefined) return { ...state, next };
    }
  }
  return { ...state, next: undefined };
}

interface RangeWork {
  readonly query: ListUploadsQuery;
  readonly range: RangeRecord;
  readonly state: PageState;
}

/** Adds what one range has; returns where to go on once the page is full and there is more. */
async function listRange(context: BucketContext, work: RangeWork): Promise<Marker | undefined> {
  const { state } = work;
  for (;;) {
    const next = await listSome(context, work);
    state.queriesLeft -= 1;
    if (next === undefined || state.left === 0 || state.queriesLeft <= 0) return next;
    state.marker = next;
  }
}

async function listSome(
  context: BucketContext,
  { query, range, state }: RangeWork,
): Promise<Marker | undefined> {
  const { bucket } = context;
  const answer = await queryAt<"listUploads">(
    context,
    { bucket, key: range.start },
    {
      case: "listUploads",
      value: {
        bucketId: bucket.bucketId,
        prefix: utf8(viewPrefix(context) + query.prefix),
        delimiter: utf8(query.delimiter ?? ""),
        keyMarker: state.marker.key,
        uploadIdMarker: state.marker.uploadId,
        // A full page still has to know whether anything follows.
        limit: Math.max(state.left, 1),
      },
    },
  );
  const isHere = (key: Uint8Array): boolean =>
    range.end.byteLength === 0 || compareBytes(key, range.end) < 0;
  const here = answer.uploads.filter(({ key }) => isHere(key));
  const prefixes = answer.commonPrefixes.filter(isHere);
  const found = here.length + prefixes.length;
  if (state.left === 0) return found > 0 || answer.truncated ? state.marker : undefined;
  state.uploads.push(...here);
  state.commonPrefixes.push(...prefixes);
  state.left -= found;
  const next = { key: answer.nextKeyMarker, uploadId: answer.nextUploadIdMarker };
  if (answer.truncated && isHere(next.key)) return next;
  state.marker = lastOf(here, prefixes) ?? state.marker;
  return undefined;
}

function markerOf(context: BucketContext, { keyMarker, uploadIdMarker }: ListUploadsQuery): Marker {
  const key = storedMarker(context, utf8(keyMarker));
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
