// Response documents of listings: buckets, objects (versions 1 and 2), object versions. Element
// names and order follow the response syntax of the Amazon S3 API reference; with
// encoding-type=url keys, prefixes, delimiters and key markers are encoded, tokens are not.
import { assert } from "../base/assert.ts";
import type { ChecksumType } from "./checksum-headers.ts";
import type { ChecksumAlgorithm } from "./checksums.ts";
import {
  type EncodingType,
  encodeFor,
  type Owner,
  openDocument,
  writeCommonPrefixes,
  writeOwner,
} from "./document-parts.ts";
import { quoteEtag } from "./etag.ts";
import { formatIsoDate, IsoDates } from "./http-date.ts";
import type { XmlWriter } from "./xml-writer.ts";

export interface ListedBucket {
  readonly name: string;
  readonly createdMs: number;
  /** Written only when paging was asked for, as AWS does. */
  readonly region?: string | undefined;
}

export interface ListBucketsResult {
  readonly owner: Owner;
  readonly buckets: readonly ListedBucket[];
  readonly prefix?: string | undefined;
  readonly continuationToken?: string | undefined;
}

export function listBucketsDocument(result: ListBucketsResult): string {
  const writer = openDocument("ListAllMyBucketsResult");
  writeOwner(writer, "Owner", result.owner);
  writer.open("Buckets");
  for (const bucket of result.buckets) {
    writer.open("Bucket").leaf("Name", bucket.name);
    writer.leaf("CreationDate", formatIsoDate(bucket.createdMs));
    writer.optional("BucketRegion", bucket.region).close("Bucket");
  }
  writer.close("Buckets");
  writer.optional("ContinuationToken", result.continuationToken);
  writer.optional("Prefix", result.prefix);
  return writer.close("ListAllMyBucketsResult").finish();
}

/** GetBucketLocation: the region, or an empty element for us-east-1. */
export function locationDocument(region: string): string {
  const writer = openDocument("LocationConstraint");
  return writer
    .text(region === "us-east-1" ? "" : region)
    .close("LocationConstraint")
    .finish();
}

export interface ListedObject {
  readonly key: string;
  readonly lastModifiedMs: number;
  /** Unquoted. */
  readonly etag: string;
  readonly size: number;
  readonly storageClass: string;
  readonly owner?: Owner | undefined;
  readonly checksumAlgorithm?: ChecksumAlgorithm | undefined;
  readonly checksumType?: ChecksumType | undefined;
}

interface ListPage {
  readonly bucket: string;
  readonly prefix: string;
  readonly delimiter: string | undefined;
  readonly maxKeys: number;
  readonly encodingType: EncodingType;
  readonly isTruncated: boolean;
  readonly commonPrefixes: readonly string[];
}

export interface ListObjectsV1Result extends ListPage {
  readonly marker: string;
  /** Written with a delimiter only, as AWS does; otherwise clients take the last key. */
  readonly nextMarker: string | undefined;
  readonly objects: readonly ListedObject[];
}

export function listObjectsV1Document(result: ListObjectsV1Result): string {
  const encode = encodeFor(result.encodingType);
  const writer = openDocument("ListBucketResult");
  writer.leaf("Name", result.bucket).leaf("Prefix", encode(result.prefix));
  writer.leaf("Marker", encode(result.marker));
  writer.optional("NextMarker", mapped(result.nextMarker, encode));
  writePageTail(writer, result, encode);
  writeObjects({ writer, encode, dates: new IsoDates() }, result.objects);
  writeCommonPrefixes(writer, result.commonPrefixes, encode);
  return writer.close("ListBucketResult").finish();
}

export interface ListObjectsV2Result extends ListPage {
  readonly startAfter: string | undefined;
  /** As the client sent it. */
  readonly continuationToken: string | undefined;
  readonly nextContinuationToken: string | undefined;
  readonly objects: readonly ListedObject[];
}

export function listObjectsV2Document(result: ListObjectsV2Result): string {
  assert(
    result.isTruncated === (result.nextContinuationToken !== undefined),
    "listObjectsV2Document: a truncated page needs a token, another has none",
  );
  const encode = encodeFor(result.encodingType);
  const writer = openDocument("ListBucketResult");
  writer.leaf("Name", result.bucket).leaf("Prefix", encode(result.prefix));
  writer.optional("StartAfter", mapped(result.startAfter, encode));
  writer.optional("ContinuationToken", result.continuationToken);
  writer.optional("NextContinuationToken", result.nextContinuationToken);
  writer.leaf("KeyCount", result.objects.length + result.commonPrefixes.length);
  writePageTail(writer, result, encode);
  writeObjects({ writer, encode, dates: new IsoDates() }, result.objects);
  writeCommonPrefixes(writer, result.commonPrefixes, encode);
  return writer.close("ListBucketResult").finish();
}

export interface ListedVersion extends ListedObject {
  readonly kind: "version";
  readonly versionId: string;
  readonly isLatest: boolean;
}

export interface ListedDeleteMarker {
  readonly kind: "delete-marker";
  readonly key: string;
  readonly versionId: string;
  readonly isLatest: boolean;
  readonly lastModifiedMs: number;
  readonly owner?: Owner | undefined;
}

export interface ListVersionsResult extends ListPage {
  readonly keyMarker: string;
  readonly versionIdMarker: string;
  readonly nextKeyMarker: string | undefined;
  readonly nextVersionIdMarker: string | undefined;
  /** Versions and delete markers in listing order. */
  readonly entries: readonly (ListedVersion | ListedDeleteMarker)[];
}

export function listVersionsDocument(result: ListVersionsResult): string {
  const encode = encodeFor(result.encodingType);
  const writer = openDocument("ListVersionsResult");
  writer.leaf("Name", result.bucket).leaf("Prefix", encode(result.prefix));
  writer.leaf("KeyMarker", encode(result.keyMarker));
  writer.leaf("VersionIdMarker", result.versionIdMarker);
  writer.optional("NextKeyMarker", mapped(result.nextKeyMarker, encode));
  writer.optional("NextVersionIdMarker", result.nextVersionIdMarker);
  writePageTail(writer, result, encode);
  const dates = new IsoDates();
  for (const entry of result.entries) {
    const name = entry.kind === "version" ? "Version" : "DeleteMarker";
    writer.open(name).leaf("Key", encode(entry.key));
    writer.leaf("VersionId", entry.versionId).leaf("IsLatest", entry.isLatest);
    if (entry.kind === "version") writeObjectFields({ writer, encode, dates }, entry);
    else writer.leaf("LastModified", dates.format(entry.lastModifiedMs));
    writeOwner(writer, "Owner", entry.owner);
    writer.close(name);
  }
  writeCommonPrefixes(writer, result.commonPrefixes, encode);
  return writer.close("ListVersionsResult").finish();
}

function writePageTail(writer: XmlWriter, page: ListPage, encode: (text: string) => string): void {
  writer.leaf("MaxKeys", page.maxKeys);
  writer.optional("Delimiter", mapped(page.delimiter, encode));
  writer.optional("EncodingType", page.encodingType);
  writer.leaf("IsTruncated", page.isTruncated);
}

/** What the entries of one page are written with. */
interface PageWriter {
  readonly writer: XmlWriter;
  readonly encode: (text: string) => string;
  readonly dates: IsoDates;
}

function writeObjects(page: PageWriter, objects: readonly ListedObject[]): void {
  const { writer, encode } = page;
  for (const object of objects) {
    writer.open("Contents").leaf("Key", encode(object.key));
    writeObjectFields(page, object);
    writeOwner(writer, "Owner", object.owner);
    writer.close("Contents");
  }
}

function writeObjectFields({ writer, dates }: PageWriter, object: ListedObject): void {
  writer.leaf("LastModified", dates.format(object.lastModifiedMs));
  writer.leaf("ETag", quoteEtag(object.etag));
  writer.optional("ChecksumAlgorithm", object.checksumAlgorithm);
  writer.optional("ChecksumType", object.checksumType);
  writer.leaf("Size", object.size).leaf("StorageClass", object.storageClass);
}

function mapped(text: string | undefined, encode: (text: string) => string): string | undefined {
  return text === undefined ? undefined : encode(text);
}
