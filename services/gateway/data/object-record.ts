// What is kept with an object besides its bytes: from the headers of a write into its record, and
// from the record into the headers of a read.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { toSafeNumber } from "../../lib/base/bytes.ts";
import type { ObjectHeadersSchema, Version } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import type { Owner } from "../../lib/s3/document-parts.ts";
import { S3Error } from "../../lib/s3/errors.ts";
import { quoteEtag } from "../../lib/s3/etag.ts";
import type { HeaderField, HeaderList } from "../../lib/s3/headers.ts";
import { formatHttpDate } from "../../lib/s3/http-date.ts";
import {
  collectSystemHeaders,
  collectUserMetadata,
  DEFAULT_CONTENT_TYPE,
  userMetadataHeaders,
} from "../../lib/s3/object-headers.ts";
import { taggingCountHeader } from "../../lib/s3/settings/tagging.ts";
import { isKnownClass, STANDARD_CLASS } from "../../lib/s3/storage-classes.ts";
import type { S3Settings } from "../config.ts";
import type { Gateway, ServiceContext } from "../operation.ts";
import { lockFields } from "./object-lock.ts";
import { policyNamed } from "./placement-policies.ts";
import { replicationFields } from "./replica-writes.ts";

export type ObjectHeadersInit = MessageInitShape<typeof ObjectHeadersSchema>;

/**
 * The stored headers of a write. Throws MetadataTooLarge, InvalidArgument, InvalidRedirectLocation.
 */
export function headersOfWrite(gateway: Gateway, headers: HeaderList): ObjectHeadersInit {
  const { metadataBytesMax } = gateway.settings;
  const system = collectSystemHeaders(headers);
  return {
    contentType: system.contentType ?? "",
    contentEncoding: system.contentEncoding ?? "",
    contentLanguage: system.contentLanguage ?? "",
    contentDisposition: system.contentDisposition ?? "",
    cacheControl: system.cacheControl ?? "",
    expires: system.expires ?? "",
    websiteRedirectLocation: system.websiteRedirectLocation ?? "",
    userMetadata: collectUserMetadata(headers, metadataBytesMax).map(({ name, value }) => ({
      name,
      value,
    })),
  };
}

/** Whether objects may be of the storage class `name`. */
export function isStorageClass(settings: S3Settings, name: string): boolean {
  return isKnownClass(name, settings.storageClasses);
}

/**
 * x-amz-storage-class of a write; STANDARD without one. Throws InvalidStorageClass, also for a
 * class that could not be placed.
 */
export function storageClassOf({ settings, dependencies }: Gateway, headers: HeaderList): string {
  const name = headers.get("x-amz-storage-class") ?? STANDARD_CLASS;
  if (isStorageClass(settings, name)) {
    const { cluster } = dependencies;
    policyNamed(settings.storageClasses, name, { cluster, refusal: "InvalidStorageClass" });
    return name;
  }
  throw new S3Error("InvalidStorageClass", undefined, {
    details: [["StorageClassRequested", name]],
  });
}

/** Headers that describe a version in the answer to GET and HEAD, without length and range. */
export function versionFields(
  version: Version,
  overrides: readonly HeaderField[] = [],
): HeaderField[] {
  const stored = version.headers;
  const described: HeaderField[] = [
    ["Content-Type", stored?.contentType || DEFAULT_CONTENT_TYPE],
    ["Content-Encoding", stored?.contentEncoding ?? ""],
    ["Content-Language", stored?.contentLanguage ?? ""],
    ["Content-Disposition", stored?.contentDisposition ?? ""],
    ["Cache-Control", stored?.cacheControl ?? ""],
    ["Expires", stored?.expires ?? ""],
  ];
  const overridden = new Map(overrides);
  const system = described.map<HeaderField>(([name, value]) => [
    name,
    overridden.get(name) ?? value,
  ]);
  const fields: HeaderField[] = [
    ["Last-Modified", formatHttpDate(toSafeNumber(version.modifiedMs))],
    ["ETag", quoteEtag(version.etag)],
    ["Accept-Ranges", "bytes"],
    ...system,
    ["x-amz-website-redirect-location", stored?.websiteRedirectLocation ?? ""],
    ...userMetadataHeaders(stored?.userMetadata ?? []),
  ];
  fields.push(...taggingCountHeader(version.tags.length), ...lockFields(version.lock));
  fields.push(...replicationFields(version));
  if (version.storageClass !== "" && version.storageClass !== STANDARD_CLASS) {
    fields.push(["x-amz-storage-class", version.storageClass]);
  }
  return fields.filter(([name, value]) => value !== "" || name.startsWith("x-amz-meta-"));
}

/** The class as documents show it. */
export function shownStorageClass(stored: string): string {
  return stored === "" ? STANDARD_CLASS : stored;
}

/** The owner of something as documents show it. */
export function shownOwner(id: string, { identity, gateway }: ServiceContext): Owner {
  const isCaller = identity.kind === "user" && id === identity.userId;
  return { id, displayName: isCaller ? identity.displayName : gateway.people.nameOf(id) };
}
