// GetObject: the whole object, one range or one part of it, under conditions. Every byte is
// verified before it is sent; a failure in the middle cuts the connection.
import type { Answer } from "../answer.ts";
import { readObject } from "../data/object-read.ts";
import { objectBytes } from "../data/object-reader.ts";
import { type ObjectContext, type ObjectOperation, SMALL_BODY_BYTES_MAX } from "../operation.ts";

export const getObject: ObjectOperation = {
  name: "GetObject",
  method: "GET",
  match: { level: "object" },
  permission: "s3:GetObject",
  versionPermission: "s3:GetObjectVersion",
  body: "none",
  bodyBytesMax: SMALL_BODY_BYTES_MAX,
  errors: [
    "InvalidArgument",
    "InvalidPartNumber",
    "InvalidRange",
    "InvalidRequest",
    "MethodNotAllowed",
    "NoSuchBucket",
    "NoSuchKey",
    "NoSuchVersion",
    "PreconditionFailed",
  ],
  page: "GetObject",
  scope: "object",
  settlesAccess: true,
  run,
};

async function run(context: ObjectContext): Promise<Answer> {
  return readObject(
    context,
    (found, range) => ({
      kind: "stream",
      size: range.last - range.first + 1,
      source: objectBytes(context, found, range),
    }),
    { withBody: true },
  );
}
