// ListObjectsV2: pages by continuation token, owners on request.
import { utf8 } from "../../lib/base/bytes.ts";
import { listObjectsV2Document } from "../../lib/s3/list-documents.ts";
import { encodeContinuationToken, parseListObjectsV2 } from "../../lib/s3/list-query.ts";
import { type Answer, xmlAnswer } from "../answer.ts";
import { shownBucket } from "../data/bucket-view.ts";
import { keyText, listedObject, listPage } from "../data/listing.ts";
import {
  type BucketContext,
  type BucketOperation,
  callOptions,
  SMALL_BODY_BYTES_MAX,
} from "../operation.ts";

export const listObjectsV2: BucketOperation = {
  name: "ListObjectsV2",
  method: "GET",
  match: { level: "bucket", queryValue: ["list-type", "2"] },
  permission: "s3:ListBucket",
  body: "none",
  bodyBytesMax: SMALL_BODY_BYTES_MAX,
  errors: ["InvalidArgument", "NoSuchBucket"],
  page: "ListObjectsV2",
  scope: "bucket",
  requesterPays: true,
  run,
};

async function run(context: BucketContext): Promise<Answer> {
  const query = parseListObjectsV2(context.request.target.query);
  const { prefix, delimiter, maxKeys, encodingType, startAfter, continuationToken } = query;
  const page = await listPage(context, {
    prefix,
    delimiter,
    startAfter: query.continueAfter ?? utf8(startAfter ?? ""),
    limit: maxKeys,
  });
  const next = page.nextStartAfter;
  if (query.fetchOwner) await context.gateway.people.refresh(callOptions(context));
  const document = listObjectsV2Document({
    bucket: shownBucket(context),
    prefix,
    delimiter,
    maxKeys,
    encodingType,
    isTruncated: next !== undefined,
    commonPrefixes: page.commonPrefixes.map(keyText),
    startAfter,
    continuationToken,
    nextContinuationToken: next === undefined ? undefined : encodeContinuationToken(next),
    objects: page.entries.map((entry) => listedObject(context, entry, query.fetchOwner)),
  });
  return xmlAnswer(document, [["x-amz-bucket-region", context.bucket.region]]);
}
