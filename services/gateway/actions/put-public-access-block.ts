// PutPublicAccessBlock: four switches against opening a bucket by accident.
import {
  parsePublicAccessBlock,
  publicAccessBlockDocument,
} from "../../lib/s3/settings/public-access-block.ts";
import { writingOperation } from "../data/setting-operations.ts";

export const putPublicAccessBlock = writingOperation({
  name: "PutPublicAccessBlock",
  query: "publicAccessBlock",
  permission: "s3:PutBucketPublicAccessBlock",
  setting: "public-access-block",
  errors: ["MalformedXML"],
  read: async ({ document }) => publicAccessBlockDocument(parsePublicAccessBlock(document)),
});
