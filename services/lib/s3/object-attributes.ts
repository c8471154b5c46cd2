// GetObjectAttributes: the header that says which attributes are wanted, and the answer. Source:
// Amazon S3 API reference, GetObjectAttributes.
import { LIST_KEYS_MAX, PART_NUMBER_MAX } from "../base/limits.ts";
import { openDocument, type StoredChecksum, storedChecksumText } from "./document-parts.ts";
import { invalidArgument, S3Error } from "./errors.ts";
import { type HeaderList, trimSpace } from "./headers.ts";
import { parseDecimal } from "./integers.ts";
import type { XmlWriter } from "./xml-writer.ts";

const NAMES = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"] as const;
export type ObjectAttribute = (typeof NAMES)[number];

export interface AttributesRequest {
  /** Not empty. */
  readonly attributes: ReadonlySet<ObjectAttribute>;
  /** 0..1000. */
  readonly maxParts: number;
  /** Parts after this number; 0 when absent. */
  readonly partNumberMarker: number;
}

/** Throws InvalidRequest (none named), InvalidArgument (unknown name, bad numbers). */
export function parseAttributesRequest(headers: HeaderList): AttributesRequest {
  const text = headers.get("x-amz-object-attributes") ?? "";
  const names = text
    .split(",")
    .map(trimSpace)
    .filter((name) => name !== "");
  if (names.length === 0) {
    throw new S3Error(
      "InvalidRequest",
      "The x-amz-object-attributes header specifying the attributes to be retrieved is either " +
        "missing or empty",
    );
  }
  const attributes = names.map((name): ObjectAttribute => {
    const known = NAMES.find((attribute) => attribute === name);
    if (known !== undefined) return known;
    throw invalidArgument("Invalid attribute name specified.", "x-amz-object-attributes", text);
  });
  return {
    attributes: new Set(attributes),
    maxParts: Math.min(numberOf(headers, "x-amz-max-parts", LIST_KEYS_MAX), LIST_KEYS_MAX),
    partNumberMarker: Math.min(numberOf(headers, "x-amz-part-number-marker", 0), PART_NUMBER_MAX),
  };
}

function numberOf(headers: HeaderList, name: string, absent: number): number {
  const text = headers.get(name);
  const value = text === undefined ? absent : parseDecimal(text);
  if (value !== undefined) return value;
  throw invalidArgument(
    `Provided ${name} not an integer or within integer range`,
    name,
    text ?? "",
  );
}

export interface AttributePart {
  readonly partNumber: number;
  readonly size: number;
  readonly checksums: readonly StoredChecksum[];
}

/** What is known of a version; only what was asked for is written. */
export interface ObjectAttributes {
  /** Unquoted, and written so. */
  readonly etag: string;
  readonly checksums: readonly StoredChecksum[];
  readonly storageClass: string;
  readonly size: number;
  /** All parts of a multipart object, ascending; undefined for others. */
  readonly parts: readonly AttributePart[] | undefined;
}

export function objectAttributesDocument(
  object: ObjectAttributes,
  request: AttributesRequest,
): string {
  const { attributes } = request;
  const writer = openDocument("GetObjectAttributesResponse");
  if (attributes.has("ETag")) writer.leaf("ETag", object.etag);
  const [checksum] = object.checksums;
  if (attributes.has("Checksum") && checksum !== undefined) {
    writer.open("Checksum");
    for (const each of object.checksums) writeDigest(writer, each);
    writer.leaf("ChecksumType", checksum.type).close("Checksum");
  }
  if (attributes.has("ObjectParts") && object.parts !== undefined) {
    writeParts(writer, object.parts, request);
  }
  if (attributes.has("StorageClass")) writer.leaf("StorageClass", object.storageClass);
  if (attributes.has("ObjectSize")) writer.leaf("ObjectSize", object.size);
  return writer.close("GetObjectAttributesResponse").finish();
}

/** Here a composite digest goes without its `-N`: the number of parts stands beside it. */
function writeDigest(writer: XmlWriter, checksum: StoredChecksum): void {
  const text = storedChecksumText({ ...checksum, partCount: 0 });
  writer.leaf(`Checksum${checksum.algorithm}`, text);
}

/** Parts are listed one by one only when they have checksums, as S3 does; their number always. */
function writeParts(
  writer: XmlWriter,
  parts: readonly AttributePart[],
  { maxParts, partNumberMarker }: AttributesRequest,
): void {
  writer.open("ObjectParts").leaf("PartsCount", parts.length);
  if (parts.some(({ checksums }) => checksums.length > 0)) {
    const after = parts.filter(({ partNumber }) => partNumber > partNumberMarker);
    const page = after.slice(0, maxParts);
    writer.leaf("PartNumberMarker", partNumberMarker);
    writer.leaf("NextPartNumberMarker", page.at(-1)?.partNumber ?? partNumberMarker);
    writer.leaf("MaxParts", maxParts).leaf("IsTruncated", after.length > page.length);
    for (const part of page) {
      writer.open("Part").leaf("PartNumber", part.partNumber).leaf("Size", part.size);
      for (const checksum of part.checksums) writeDigest(writer, checksum);
      writer.close("Part");
    }
  }
  writer.close("ObjectParts");
}
