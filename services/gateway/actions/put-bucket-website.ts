// PutBucketWebsite: how the bucket is served as a web site. It makes nothing public by itself.
import { parseWebsite, websiteDocument } from "../../lib/s3/settings/website.ts";
import { writingOperation } from "../data/setting-operations.ts";

export const putBucketWebsite = writingOperation({
  name: "PutBucketWebsite",
  query: "website",
  permission: "s3:PutBucketWebsite",
  setting: "website",
  errors: ["InvalidArgument", "InvalidRequest", "MalformedXML"],
  read: async ({ document }) => websiteDocument(parseWebsite(document)),
});
