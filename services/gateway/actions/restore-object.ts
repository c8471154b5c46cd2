// RestoreObject. Every object here can be read at once, so there is nothing to restore: the answer
// is that of S3 for an object that is not in an archive class.
import { XML_BYTES_MAX } from "../../lib/base/limits.ts";
import { S3Error } from "../../lib/s3/errors.ts";
import { checkShape, parseXml } from "../../lib/s3/xml-reader.ts";
import type { Answer } from "../answer.ts";
import { shownStorageClass } from "../data/object-record.ts";
import { requireVersion } from "../data/version-errors.ts";
import type { ObjectContext, ObjectOperation } from "../operation.ts";

const ELEMENTS = [
  "Days",
  "Type",
  "Tier",
  "Description",
  "GlacierJobParameters",
  "SelectParameters",
  "OutputLocation",
];

export const restoreObject: ObjectOperation = {
  name: "RestoreObject",
  method: "POST",
  match: { level: "object", query: ["restore"] },
  permission: "s3:RestoreObject",
  body: "xml",
  bodyBytesMax: XML_BYTES_MAX,
  errors: [
    "InvalidObjectState",
    "MalformedXML",
    "MethodNotAllowed",
    "NoSuchBucket",
    "NoSuchKey",
    "NoSuchVersion",
  ],
  page: "RestoreObject",
  scope: "object",
  settlesAccess: true,
  run,
};

async function run(context: ObjectContext): Promise<Answer> {
  const { document } = context;
  if (document.byteLength > 0) checkShape(parseXml(document), "RestoreRequest", ELEMENTS);
  const { version } = await requireVersion(context);
  throw new S3Error("InvalidObjectState", "Restore is not allowed for the object's storage class", {
    details: [["StorageClass", shownStorageClass(version.storageClass)]],
  });
}
