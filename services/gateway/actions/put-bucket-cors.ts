// PutBucketCors: which web pages of other origins may use the bucket from a browser.
import { corsDocument, parseCors } from "../../lib/s3/settings/cors.ts";
import { writingOperation } from "../data/setting-operations.ts";

export const putBucketCors = writingOperation({
  name: "PutBucketCors",
  query: "cors",
  permission: "s3:PutBucketCORS",
  setting: "cors",
  errors: ["InvalidRequest", "MalformedXML"],
  read: async ({ document }) => corsDocument(parseCors(document)),
});
