// Query parameters that choose an action of S3 (sub-resources). A request that names one which no
// row of the operation table asks for is never served as if it were not there: `PUT /b/k?acl` is no
// upload. Source: Amazon S3 API reference, the request syntax of each action.
import type { Level } from "./operation.ts";

const BUCKET_SUBRESOURCES: readonly string[] = [
  "abac",
  "accelerate",
  "acl",
  "analytics",
  "cors",
  "delete",
  "encryption",
  "intelligent-tiering",
  "inventory",
  "lifecycle",
  "location",
  "logging",
  "metadataConfiguration",
  "metadataInventoryTable",
  "metadataJournalTable",
  "metadataTable",
  "metrics",
  "notification",
  "object-lock",
  "ownershipControls",
  "policy",
  "policyStatus",
  "publicAccessBlock",
  "replication",
  "requestPayment",
  "session",
  "tagging",
  "uploads",
  "versioning",
  "versions",
  "website",
];

const OBJECT_SUBRESOURCES: readonly string[] = [
  "acl",
  "annotation",
  "annotations",
  "append",
  "attributes",
  "encryption",
  "legal-hold",
  "renameObject",
  "restore",
  "retention",
  "select",
  "tagging",
  "torrent",
  "uploadId",
  "uploads",
];

const BY_LEVEL: Readonly<Record<Level, ReadonlySet<string>>> = {
  service: new Set(),
  bucket: new Set(BUCKET_SUBRESOURCES),
  object: new Set(OBJECT_SUBRESOURCES),
};

/** True when `name`, in the query of a request at `level`, chooses an action. */
export function isSubresource(level: Level, name: string): boolean {
  return BY_LEVEL[level].has(name);
}
