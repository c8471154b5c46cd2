// BrowseBucket: a bucket, or a folder of it, as a page for people, where a listing has
// `browser=true`. Who may list sees it; each link is authorized when it is followed. Not an action
// of S3: without the parameter, the listing is XML.
import { utf8 } from "../../lib/base/bytes.ts";
import { checkKey } from "../../lib/s3/addressing.ts";
import type { Answer } from "../answer.ts";
import { browseAnswer } from "../browser/browse-page.ts";
import { pageLinks } from "../browser/page-links.ts";
import { shownBucket } from "../data/bucket-view.ts";
import { keyText, listPage } from "../data/listing.ts";
import { type BucketContext, type BucketOperation, SMALL_BODY_BYTES_MAX } from "../operation.ts";

const ENTRIES_MAX = 1000;

export const browseBucket: BucketOperation = {
  name: "BrowseBucket",
  method: "GET",
  match: { level: "bucket", queryValue: ["browser", "true"] },
  permission: "s3:ListBucket",
  body: "none",
  bodyBytesMax: SMALL_BODY_BYTES_MAX,
  errors: ["KeyTooLongError", "NoSuchBucket"],
  page: "ListObjectsV2",
  scope: "bucket",
  requesterPays: true,
  run,
};

async function run(context: BucketContext): Promise<Answer> {
  const { query } = context.request.target;
  const prefix = query.get("prefix") ?? "";
  const startAfter = query.get("start-after") ?? "";
  for (const text of [prefix, startAfter]) if (text !== "") checkKey(text);
  const page = await listPage(context, {
    prefix,
    delimiter: "/",
    startAfter: utf8(startAfter),
    limit: ENTRIES_MAX,
  });
  const next = page.nextStartAfter;
  const links = await pageLinks(context, prefix);
  return browseAnswer(
    {
      bucket: shownBucket(context),
      prefix,
      folders: page.commonPrefixes.map(keyText),
      objects: page.entries.map(({ key, size, modifiedMs }) => ({
        key: keyText(key),
        size,
        lastModifiedMs: modifiedMs,
      })),
      nextStartAfter: next === undefined ? undefined : keyText(next),
    },
    links,
  );
}
