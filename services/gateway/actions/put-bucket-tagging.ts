// PutBucketTagging: replaces the tags of the bucket. An empty set takes them away.
import { parseTagging, taggingDocument } from "../../lib/s3/settings/tagging.ts";
import { bucketTagLimits } from "../data/bucket-tags.ts";
import { writingOperation } from "../data/setting-operations.ts";

export const putBucketTagging = writingOperation({
  name: "PutBucketTagging",
  query: "tagging",
  permission: "s3:PutBucketTagging",
  setting: "tagging",
  status: 204,
  errors: ["BadRequest", "InvalidTag", "MalformedXML"],
  read: async ({ document, gateway }) => {
    const tags = parseTagging(document, bucketTagLimits(gateway.settings));
    return tags.length === 0 ? undefined : taggingDocument(tags);
  },
});
