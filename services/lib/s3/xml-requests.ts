// The XML bodies of CreateBucket, DeleteObjects and CompleteMultipartUpload as typed values.
// Strict: unknown elements are refused, since ignoring one may mean ignoring a condition the
// client set. Source: the request syntax of these actions in the Amazon S3 API reference.
import { COMPLETE_XML_BYTES_MAX, DELETE_KEYS_MAX, PART_NUMBER_MAX } from "../base/limits.ts";
import { parseChecksumValue } from "./checksum-headers.ts";
import { CHECKSUM_ALGORITHMS, type ChecksumAlgorithm } from "./checksums.ts";
import { invalidArgument, S3Error } from "./errors.ts";
import { unquoteEtag } from "./etag.ts";
import { parseDecimal } from "./integers.ts";
import { optionalBoolean, requiredText, trimLines } from "./xml-fields.ts";
import {
  checkShape,
  childNamed,
  childrenNamed,
  childText,
  malformedXml,
  parseXml,
  type XmlElement,
} from "./xml-reader.ts";

/** A part has up to seven elements inside. */
const COMPLETE_LIMITS = { bytesMax: COMPLETE_XML_BYTES_MAX, elementsMax: 8 * PART_NUMBER_MAX + 1 };

export interface Tag {
  readonly key: string;
  readonly value: string;
}

export interface CreateBucketConfiguration {
  /** Region asked for; undefined or empty means the default. */
  readonly locationConstraint: string | undefined;
  readonly tags: readonly Tag[];
}

/** Parses the body of CreateBucket; an empty body means defaults. Throws MalformedXML. */
export function parseCreateBucketConfiguration(body: Uint8Array): CreateBucketConfiguration {
  if (body.byteLength === 0) return { locationConstraint: undefined, tags: [] };
  const root = parseXml(body);
  checkShape(root, "CreateBucketConfiguration", [
    "LocationConstraint",
    "Location",
    "Bucket",
    "Tags",
  ]);
  // Both describe directory buckets.
  if (childNamed(root, "Location") !== undefined || childNamed(root, "Bucket") !== undefined) {
    throw new S3Error("NotImplemented");
  }
  const location = childText(root, "LocationConstraint");
  const tags = childNamed(root, "Tags");
  return {
    locationConstraint: location === undefined ? undefined : trimLines(location),
    tags: tags === undefined ? [] : parseTags(tags),
  };
}

/** The `Tag` children of a TagSet or Tags element; limits on tags are the caller's. */
export function parseTags(element: XmlElement): readonly Tag[] {
  checkShape(element, element.name, ["Tag"]);
  return element.children.map((tag) => {
    checkShape(tag, "Tag", ["Key", "Value"]);
    return { key: requiredText(tag, "Key"), value: requiredText(tag, "Value") };
  });
}

export interface DeleteEntry {
  /** Not empty; its length and form are not checked (use checkKey, one answer a key). */
  readonly key: string;
  readonly versionId: string | undefined;
  /** Conditions: unquoted entity tag, HTTP or ISO date as sent, size in bytes. */
  readonly etag: string | undefined;
  readonly lastModifiedTime: string | undefined;
  readonly size: number | undefined;
}

export interface DeleteRequest {
  /** 1..1000, in order, repeats kept. */
  readonly entries: readonly DeleteEntry[];
  /** Answer only with errors. */
  readonly quiet: boolean;
}

/** Parses the body of DeleteObjects. Throws MalformedXML, also for none or over 1,000 keys. */
export function parseDelete(body: Uint8Array): DeleteRequest {
  // 1,000 keys of 1,024 bytes written as five-character references exceed the usual limit.
  const root = parseXml(body, { bytesMax: COMPLETE_XML_BYTES_MAX });
  checkShape(root, "Delete", ["Object", "Quiet"]);
  const objects = childrenNamed(root, "Object");
  if (objects.length < 1 || objects.length > DELETE_KEYS_MAX) throw malformedXml();
  return { entries: objects.map(parseDeleteEntry), quiet: optionalBoolean(root, "Quiet") ?? false };
}

function parseDeleteEntry(element: XmlElement): DeleteEntry {
  checkShape(element, "Object", ["Key", "VersionId", "ETag", "LastModifiedTime", "Size"]);
  const key = requiredText(element, "Key");
  const versionId = childText(element, "VersionId");
  const etag = childText(element, "ETag");
  const size = childText(element, "Size");
  const sizeBytes = size === undefined ? undefined : parseDecimal(trimLines(size));
  if (key === "" || (size !== undefined && sizeBytes === undefined)) throw malformedXml();
  return {
    key,
    versionId: versionId === "" ? undefined : versionId,
    etag: etag === undefined ? undefined : unquoteEtag(trimLines(etag)),
    lastModifiedTime: childText(element, "LastModifiedTime"),
    size: sizeBytes,
  };
}

export interface CompletedPart {
  /** 1..10000, ascending. */
  readonly partNumber: number;
  /** Unquoted; undefined only in lenient mode. */
  readonly etag: string | undefined;
  readonly checksums: ReadonlyMap<ChecksumAlgorithm, Uint8Array>;
}

export interface CompleteOptions {
  /** Accept parts without ETag: the part last uploaded under the number is meant. */
  readonly lenient: boolean;
}

/**
 * Parses the body of CompleteMultipartUpload. Throws MalformedXML (also without parts),
 * InvalidArgument (part number), InvalidPartOrder, InvalidPart (no ETag, unless lenient),
 * InvalidRequest (malformed checksum).
 */
export function parseCompleteMultipartUpload(
  body: Uint8Array,
  options: CompleteOptions,
): readonly CompletedPart[] {
  const root = parseXml(body, COMPLETE_LIMITS);
  checkShape(root, "CompleteMultipartUpload", ["Part"]);
  if (root.children.length === 0 || root.children.length > PART_NUMBER_MAX) throw malformedXml();
  let previous = 0;
  return root.children.map((element) => {
    const part = parsePart(element, options);
    if (part.partNumber <= previous) throw new S3Error("InvalidPartOrder");
    previous = part.partNumber;
    return part;
  });
}

const PART_ELEMENTS = [
  "PartNumber",
  "ETag",
  ...CHECKSUM_ALGORITHMS.map((name) => `Checksum${name}`),
];

function parsePart(element: XmlElement, options: CompleteOptions): CompletedPart {
  checkShape(element, "Part", PART_ELEMENTS);
  const numberText = trimLines(requiredText(element, "PartNumber"));
  const partNumber = parsePartNumber(numberText);
  const etagText = childText(element, "ETag");
  const etag = etagText === undefined ? undefined : unquoteEtag(trimLines(etagText));
  if ((etag === undefined || etag === "") && !options.lenient) {
    throw new S3Error("InvalidPart", undefined, { details: [["PartNumber", numberText]] });
  }
  const checksums = new Map<ChecksumAlgorithm, Uint8Array>();
  for (const algorithm of CHECKSUM_ALGORITHMS) {
    const text = childText(element, `Checksum${algorithm}`);
    if (text === undefined || text === "") continue;
    const name = `Checksum${algorithm}`;
    checksums.set(algorithm, parseChecksumValue(algorithm, name, trimLines(text)));
  }
  return { partNumber, etag: etag === "" ? undefined : etag, checksums };
}

/** A part number from XML or a query. Throws InvalidArgument outside 1..10000. */
export function parsePartNumber(text: string): number {
  const value = parseDecimal(text);
  if (value !== undefined && value >= 1 && value <= PART_NUMBER_MAX) return value;
  throw invalidArgument(
    `Part number must be an integer between 1 and ${PART_NUMBER_MAX}, inclusive`,
    "partNumber",
    text,
  );
}
