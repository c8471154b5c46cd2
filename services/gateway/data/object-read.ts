// What GetObject and HeadObject share: which bytes are asked for, whether the conditions hold, and
// the headers of the answer. All of it is decided before the first byte.
import { present } from "../../lib/base/assert.ts";
import { toSafeNumber } from "../../lib/base/bytes.ts";
import type { Version } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import { evaluateRead, parseReadConditions } from "../../lib/s3/conditions.ts";
import { refuseManagedEncryption } from "../../lib/s3/encryption-headers.ts";
import { S3Error } from "../../lib/s3/errors.ts";
import type { HeaderField } from "../../lib/s3/headers.ts";
import {
  type ByteRange,
  formatContentRange,
  invalidRange,
  parseRange,
  resolveRange,
} from "../../lib/s3/http-range.ts";
import { collectResponseOverrides } from "../../lib/s3/object-headers.ts";
import { parsePartNumber } from "../../lib/s3/xml-requests.ts";
import { type Answer, type AnswerBody, emptyAnswer } from "../answer.ts";
import { preconditionFailed } from "../error-mapper.ts";
import type { ObjectContext } from "../operation.ts";
import { checksumFields, fromRecord } from "./checksum-records.ts";
import { expirationFields } from "./object-expiration.ts";
import { type Extent, findObject, type StoredObject } from "./object-reader.ts";
import { versionFields } from "./object-record.ts";
import { encryptionFields } from "./sealing-fields.ts";
import { withClientKey } from "./sealing-read.ts";
import { deleteMarkerError, missingVersion } from "./version-errors.ts";
import { requestedVersionId, shownVersionId, versionIdFields } from "./version-id.ts";

/** The bytes an answer carries, and what of the object they are. */
interface Window {
  readonly kind: "whole" | "range" | "part";
  /** Undefined for no bytes at all. */
  readonly range: ByteRange | undefined;
}

export interface ReadOptions {
  readonly withBody: boolean;
  /** Sees the version before anything is told of it: throws to refuse, or answers in its place. */
  readonly intercept?: (version: Version) => Answer | undefined;
}

/** Answers a read; `body` makes the body of the bytes that were asked for. */
export async function readObject(
  context: ObjectContext,
  body: (found: StoredObject, range: ByteRange) => AnswerBody,
  options: ReadOptions,
): Promise<Answer> {
  const { request, bucket, key } = context;
  const { headers, target } = request;
  refuseManagedEncryption(headers);
  const isSigned = context.identity.kind === "user";
  const overrides = collectResponseOverrides(target.query, isSigned);
  const versionId = requestedVersionId(context);
  const extent = requestedExtent(context);
  // The parts are needed to tell where one begins; the bodies only to stream them.
  const withBody = options.withBody || extent.kind === "part";
  const stored = await findObject(context, { bucket, key, versionId, extent, withBody });
  context.access.settle(stored?.version);
  if (stored === undefined) throw missingVersion(context);
  const { version } = stored;
  if (version.deleteMarker) throw deleteMarkerError(context, version);
  const instead = options.intercept?.(version);
  if (instead !== undefined) return instead;
  const found = withClientKey(context, stored, "target");
  const fields = [
    ...versionFields(version, overrides),
    ...encryptionFields(context, version.encryption),
    ...versionIdFields(shownVersionId(bucket, version)),
    ...expiration(context, found),
  ];
  const subject = { etag: version.etag, lastModifiedMs: toSafeNumber(version.modifiedMs) };
  switch (evaluateRead(parseReadConditions(headers, request.receivedMs), subject)) {
    case "not-modified":
      return emptyAnswer(
        304,
        fields.filter(([name]) => NOT_MODIFIED_FIELDS.has(name)),
      );
    case "precondition-failed":
      throw preconditionFailed(headers.has("if-match") ? "If-Match" : "If-Unmodified-Since");
    case "proceed":
      break;
  }
  const window = windowOf(found, extent, headers.get("range") ?? "");
  fields.push(...windowFields(context, found, window));
  const status = window.kind === "whole" || window.range === undefined ? 200 : 206;
  const bytes: AnswerBody =
    window.range === undefined ? { kind: "empty" } : body(found, window.range);
  return { status, headers: fields, body: bytes };
}

/** Rules of expiration are about current versions. */
function expiration(
  context: ObjectContext,
  { version, size }: StoredObject,
): readonly HeaderField[] {
  if (context.request.target.query.has("versionId")) return [];
  const { tags, modifiedMs } = version;
  return expirationFields(context, { size, tags, modifiedMs: toSafeNumber(modifiedMs) });
}

/** RFC 9110 §15.4.5: what a 304 repeats of the headers of a 200. */
const NOT_MODIFIED_FIELDS: ReadonlySet<string> = new Set([
  "Cache-Control",
  "ETag",
  "Expires",
  "Last-Modified",
  "x-amz-version-id",
]);

function requestedExtent(context: ObjectContext): Extent {
  const { headers, target } = context.request;
  const part = target.query.get("partNumber");
  const range = parseRange(headers.get("range"));
  if (part !== undefined) {
    if (headers.has("range")) {
      throw new S3Error(
        "InvalidRequest",
        "Cannot specify both Range header and partNumber query parameter",
      );
    }
    return { kind: "part", partNumber: parsePartNumber(part) };
  }
  if (range === undefined) return { kind: "all" };
  return range.kind === "suffix"
    ? { kind: "suffix", length: range.bytes }
    : { kind: "bytes", first: range.first, last: range.last };
}

function windowOf(found: StoredObject, extent: Extent, rangeHeader: string): Window {
  const { size } = found;
  const whole: ByteRange | undefined = size === 0 ? undefined : { first: 0, last: size - 1 };
  switch (extent.kind) {
    case "all":
      return { kind: "whole", range: whole };
    case "part":
      return { kind: "part", range: partRange(found, extent.partNumber) };
    case "bytes":
    case "suffix": {
      const spec =
        extent.kind === "suffix"
          ? ({ kind: "suffix", bytes: extent.length } as const)
          : ({ kind: "from", first: extent.first, last: extent.last } as const);
      const range = resolveRange(spec, size);
      if (range === "unsatisfiable") throw invalidRange(rangeHeader, size);
      return { kind: "range", range };
    }
  }
}

/** Bytes of one part; an object that was not uploaded in parts has one. */
function partRange(found: StoredObject, partNumber: number): ByteRange | undefined {
  let first = 0;
  if (found.version.body.case !== "partListId") {
    if (partNumber !== 1) throw noSuchPart(partNumber, 1);
    return found.size === 0 ? undefined : { first, last: found.size - 1 };
  }
  for (const part of found.parts) {
    const size = toSafeNumber(part.size);
    if (part.partNumber === partNumber) {
      return size === 0 ? undefined : { first, last: first + size - 1 };
    }
    first += size;
  }
  throw noSuchPart(partNumber, found.parts.length);
}

function noSuchPart(partNumber: number, partCount: number): S3Error {
  return new S3Error("InvalidPartNumber", undefined, {
    details: [
      ["PartNumberRequested", String(partNumber)],
      ["ActualPartCount", String(partCount)],
    ],
  });
}

function windowFields(context: ObjectContext, found: StoredObject, window: Window): HeaderField[] {
  const fields: HeaderField[] = [];
  const { version, size, parts } = found;
  if (window.kind !== "whole" && window.range !== undefined) {
    fields.push(["Content-Range", formatContentRange(window.range, size)]);
  }
  if (window.kind === "part" && version.body.case === "partListId") {
    fields.push(["x-amz-mp-parts-count", String(parts.length)]);
  }
  if (context.request.headers.get("x-amz-checksum-mode")?.toUpperCase() !== "ENABLED") {
    return fields;
  }
  // A checksum of the whole says nothing about a piece of it.
  if (window.kind === "whole") fields.push(...checksumFields(version.checksums.map(fromRecord)));
  if (window.kind === "part") fields.push(...partChecksumFields(context, found));
  return fields;
}

function partChecksumFields(context: ObjectContext, found: StoredObject): HeaderField[] {
  const { version, parts } = found;
  if (version.body.case !== "partListId") return checksumFields(version.checksums.map(fromRecord));
  const partNumber = parsePartNumber(context.request.target.query.get("partNumber") ?? "");
  const part = present(
    parts.find((one) => one.partNumber === partNumber),
    "part that was found",
  );
  return checksumFields(part.checksums.map(fromRecord));
}
