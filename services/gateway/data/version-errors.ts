// What requests about versions that cannot be had are answered: no such key, no such version, a
// delete marker. Source: Amazon S3 user guide, "Working with delete markers".
import { toSafeNumber } from "../../lib/base/bytes.ts";
import type { Version } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import { S3Error } from "../../lib/s3/errors.ts";
import type { HeaderField } from "../../lib/s3/headers.ts";
import { formatHttpDate } from "../../lib/s3/http-date.ts";
import type { ObjectContext } from "../operation.ts";
import { shownKey } from "./bucket-view.ts";
import { findObject, type StoredObject } from "./object-reader.ts";
import { requestedVersionId, storedVersionIdText, versionIdFields } from "./version-id.ts";

/**
 * The version that the request means, as a record, once the caller may have it. Throws
 * AccessDenied, as missingVersion, deleteMarkerError.
 */
export async function requireVersion(context: ObjectContext): Promise<StoredObject> {
  const { bucket, key } = context;
  const versionId = requestedVersionId(context);
  const extent = { kind: "all" } as const;
  const found = await findObject(context, { bucket, key, versionId, extent, withBody: false });
  context.access.settle(found?.version);
  if (found === undefined) throw missingVersion(context);
  if (found.version.deleteMarker) throw deleteMarkerError(context, found.version);
  return found;
}

/** NoSuchKey, or NoSuchVersion when the request names a version. */
export function missingVersion(context: ObjectContext): S3Error {
  const key = shownKey(context);
  const text = context.request.target.query.get("versionId");
  if (text === undefined) return new S3Error("NoSuchKey", undefined, { details: [["Key", key]] });
  return new S3Error("NoSuchVersion", undefined, {
    details: [
      ["Key", key],
      ["VersionId", text],
    ],
  });
}

/** 404 when the current version is a delete marker, 405 when the request names one. */
export function deleteMarkerError(context: ObjectContext, version: Version): S3Error {
  const { request } = context;
  const headers: HeaderField[] = [
    ["x-amz-delete-marker", "true"],
    ...versionIdFields(storedVersionIdText(version)),
  ];
  if (!request.target.query.has("versionId")) {
    return new S3Error("NoSuchKey", undefined, { details: [["Key", shownKey(context)]], headers });
  }
  return new S3Error("MethodNotAllowed", undefined, {
    details: [
      ["Method", request.method],
      ["ResourceType", "DeleteMarker"],
    ],
    headers: [
      ...headers,
      ["Allow", "DELETE"],
      ["Last-Modified", formatHttpDate(toSafeNumber(version.modifiedMs))],
    ],
  });
}
