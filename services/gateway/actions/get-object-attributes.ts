// GetObjectAttributes: what is known of a version besides its bytes, as a document.
import { toSafeNumber } from "../../lib/base/bytes.ts";
import type { Version } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import { formatHttpDate } from "../../lib/s3/http-date.ts";
import {
  type AttributePart,
  objectAttributesDocument,
  parseAttributesRequest,
} from "../../lib/s3/object-attributes.ts";
import { type Answer, xmlAnswer } from "../answer.ts";
import { allow } from "../data/access/access-check.ts";
import { subjectOf } from "../data/access/bucket-facts.ts";
import { fromRecord } from "../data/checksum-records.ts";
import { findObject, type StoredObject } from "../data/object-reader.ts";
import { shownStorageClass } from "../data/object-record.ts";
import { withClientKey } from "../data/sealing-read.ts";
import { deleteMarkerError, missingVersion } from "../data/version-errors.ts";
import { requestedVersionId, shownVersionId, versionIdFields } from "../data/version-id.ts";
import { type ObjectContext, type ObjectOperation, SMALL_BODY_BYTES_MAX } from "../operation.ts";

export const getObjectAttributes: ObjectOperation = {
  name: "GetObjectAttributes",
  method: "GET",
  match: { level: "object", query: ["attributes"] },
  permission: "s3:GetObjectAttributes",
  versionPermission: "s3:GetObjectVersionAttributes",
  body: "none",
  bodyBytesMax: SMALL_BODY_BYTES_MAX,
  errors: [
    "AccessDenied",
    "InvalidArgument",
    "InvalidRequest",
    "MethodNotAllowed",
    "NoSuchBucket",
    "NoSuchKey",
    "NoSuchVersion",
  ],
  page: "GetObjectAttributes",
  scope: "object",
  settlesAccess: true,
  run,
};

async function run(context: ObjectContext): Promise<Answer> {
  const { bucket, key, request } = context;
  const wanted = parseAttributesRequest(request.headers);
  const withBody = wanted.attributes.has("ObjectParts");
  const place = { bucket, key, versionId: requestedVersionId(context) };
  // The list of parts comes with any manifest; the first is enough.
  const extent = { kind: "bytes", first: 0, last: 0 } as const;
  const found = await findObject(context, { ...place, extent, withBody });
  context.access.settle(found?.version);
  if (found === undefined) throw missingVersion(context);
  const { version } = found;
  // Attributes tell what a HEAD tells, and need its permission too.
  if (!version.deleteMarker) allowRead(context, version);
  if (version.deleteMarker) throw deleteMarkerError(context, version);
  withClientKey(context, found, "target");
  const document = objectAttributesDocument(
    {
      etag: version.etag,
      checksums: version.checksums.map(fromRecord),
      storageClass: shownStorageClass(version.storageClass),
      size: found.size,
      parts: partsOf(found),
    },
    wanted,
  );
  return xmlAnswer(document, [
    ["Last-Modified", formatHttpDate(toSafeNumber(version.modifiedMs))],
    ...versionIdFields(shownVersionId(bucket, version)),
  ]);
}

function allowRead(context: ObjectContext, version: Version): void {
  const { bucket, gateway, keyText: key } = context;
  const versionId = context.request.target.query.get("versionId");
  const permission = versionId === undefined ? "s3:GetObject" : "s3:GetObjectVersion";
  const subject = subjectOf(gateway, bucket, version);
  allow(context, { permission, bucket, key, versionId, subject });
}

function partsOf({ version, parts }: StoredObject): readonly AttributePart[] | undefined {
  if (version.body.case !== "partListId") return undefined;
  return parts.map(({ partNumber, size, checksums }) => ({
    partNumber,
    size: toSafeNumber(size),
    checksums: checksums.map(fromRecord),
  }));
}
