// ListObjects, version 1: pages by marker, with the owner of each object.
import { equalBytes, utf8 } from "../../lib/base/bytes.ts";
import { listObjectsV1Document } from "../../lib/s3/list-documents.ts";
import { parseListObjectsV1 } from "../../lib/s3/list-query.ts";
import { type Answer, xmlAnswer } from "../answer.ts";
import { shownBucket } from "../data/bucket-view.ts";
import { keyText, listedObject, listPage } from "../data/listing.ts";
import {
  type BucketContext,
  type BucketOperation,
  callOptions,
  SMALL_BODY_BYTES_MAX,
} from "../operation.ts";

export const listObjects: BucketOperation = {
  name: "ListObjects",
  method: "GET",
  match: { level: "bucket" },
  permission: "s3:ListBucket",
  body: "none",
  bodyBytesMax: SMALL_BODY_BYTES_MAX,
  errors: ["InvalidArgument", "NoSuchBucket"],
  page: "ListObjects",
  scope: "bucket",
  requesterPays: true,
  run,
};

async function run(context: BucketContext): Promise<Answer> {
  await context.gateway.people.refresh(callOptions(context));
  const query = parseListObjectsV1(context.request.target.query);
  const { prefix, delimiter, marker, maxKeys, encodingType } = query;
  const question = { prefix, delimiter, startAfter: utf8(marker), limit: maxKeys };
  const page = await listPage(context, question);
  const next = page.nextStartAfter;
  // Without a delimiter clients go on after the last key, unless the page ended past it.
  const last = page.entries.at(-1)?.key;
  const isLast = next !== undefined && last !== undefined && equalBytes(last, next);
  const needsMarker = next !== undefined && (delimiter !== undefined || !isLast);
  const document = listObjectsV1Document({
    bucket: shownBucket(context),
    prefix,
    delimiter,
    maxKeys,
    encodingType,
    isTruncated: next !== undefined,
    commonPrefixes: page.commonPrefixes.map(keyText),
    marker,
    nextMarker: needsMarker ? keyText(next) : undefined,
    objects: page.entries.map((entry) => listedObject(context, entry, true)),
  });
  return xmlAnswer(document, [["x-amz-bucket-region", context.bucket.region]]);
}
