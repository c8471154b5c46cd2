// ListObjectVersions: all versions and delete markers, by key and newest first.
import { utf8 } from "../../lib/base/bytes.ts";
import { listVersionsDocument } from "../../lib/s3/list-documents.ts";
import { parseListVersions } from "../../lib/s3/list-query.ts";
import { type Answer, xmlAnswer } from "../answer.ts";
import { shownBucket } from "../data/bucket-view.ts";
import { keyText } from "../data/listing.ts";
import { parseVersionId, versionIdText } from "../data/version-id.ts";
import { listedVersion, listVersionPage } from "../data/version-listing.ts";
import {
  type BucketContext,
  type BucketOperation,
  callOptions,
  SMALL_BODY_BYTES_MAX,
} from "../operation.ts";

export const listObjectVersions: BucketOperation = {
  name: "ListObjectVersions",
  method: "GET",
  match: { level: "bucket", query: ["versions"] },
  permission: "s3:ListBucketVersions",
  body: "none",
  bodyBytesMax: SMALL_BODY_BYTES_MAX,
  errors: ["InvalidArgument", "NoSuchBucket"],
  page: "ListObjectVersions",
  scope: "bucket",
  requesterPays: true,
  run,
};

async function run(context: BucketContext): Promise<Answer> {
  const query = parseListVersions(context.request.target.query);
  const { prefix, delimiter, maxKeys, encodingType, keyMarker, versionIdMarker } = query;
  const page = await listVersionPage(context, {
    prefix,
    delimiter,
    marker: { key: utf8(keyMarker), versionId: parseVersionId(versionIdMarker) },
    limit: maxKeys,
  });
  const { next } = page;
  await context.gateway.people.refresh(callOptions(context));
  const document = listVersionsDocument({
    bucket: shownBucket(context),
    prefix,
    delimiter,
    maxKeys,
    encodingType,
    isTruncated: next !== undefined,
    commonPrefixes: page.commonPrefixes.map(keyText),
    keyMarker,
    versionIdMarker: versionIdMarker ?? "",
    nextKeyMarker: next === undefined ? undefined : keyText(next.key),
    nextVersionIdMarker: next === undefined ? undefined : versionIdText(next.versionId),
    entries: page.entries.map((entry) => listedVersion(context, entry)),
  });
  return xmlAnswer(document, [["x-amz-bucket-region", context.bucket.region]]);
}
