// Pieces that several response documents share: namespace, owners, checksums, encoding of listings.
// Nothing here decides anything; the documents do.
import { checksumText } from "./checksum-combine.ts";
import type { ChecksumType } from "./checksum-headers.ts";
import type { ChecksumAlgorithm } from "./checksums.ts";
import { encodeListingUrl } from "./uri-encoding.ts";
import { XmlWriter } from "./xml-writer.ts";

const NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/";

export interface Owner {
  readonly id: string;
  readonly displayName: string;
}

/** A checksum as stored: raw digest, and the number of parts of a composite one. */
export interface StoredChecksum {
  readonly algorithm: ChecksumAlgorithm;
  readonly type: ChecksumType;
  readonly digest: Uint8Array;
  /** Parts of a composite checksum; not used otherwise. */
  readonly partCount: number;
}

/** Base64, with `-N` when composite, as documents and x-amz-checksum-* headers carry it. */
export function storedChecksumText(checksum: StoredChecksum): string {
  const composite = checksum.type === "COMPOSITE" && checksum.partCount > 0;
  return checksumText(checksum.digest, composite ? checksum.partCount : undefined);
}

/** Opens a document whose root is `name` in the S3 namespace. */
export function openDocument(name: string): XmlWriter {
  return new XmlWriter().open(name, [["xmlns", NAMESPACE]]);
}

/** `Owner` or `Initiator`; nothing when undefined. */
export function writeOwner(writer: XmlWriter, name: string, owner: Owner | undefined): void {
  if (owner === undefined) return;
  writer.open(name).leaf("ID", owner.id).leaf("DisplayName", owner.displayName).close(name);
}

/** `ChecksumCRC32` and its like, one element a checksum. */
export function writeChecksums(writer: XmlWriter, checksums: readonly StoredChecksum[]): void {
  for (const checksum of checksums) {
    writer.leaf(`Checksum${checksum.algorithm}`, storedChecksumText(checksum));
  }
}

export type EncodingType = "url" | undefined;

/** Text of keys, prefixes, delimiters and markers under `encoding`. */
export function encodeFor(encoding: EncodingType): (text: string) => string {
  return encoding === "url" ? encodeListingUrl : (text) => text;
}

/** CommonPrefixes elements, one a prefix. */
export function writeCommonPrefixes(
  writer: XmlWriter,
  prefixes: readonly string[],
  encode: (text: string) => string,
): void {
  for (const prefix of prefixes) {
    writer.open("CommonPrefixes").leaf("Prefix", encode(prefix)).close("CommonPrefixes");
  }
}
